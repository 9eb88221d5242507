import { randomBytes } from "node:crypto";
import { contract } from "@/lib/billing/contract";
import { NotChecked, Run, startReceiver } from "@/lib/billing/contract-run";
import { stripeClient, stripeProvider } from "@/lib/billing/stripe";
import { readVariable } from "@/lib/env";
import { readEnvFiles } from "./database";
import { createSandbox, forwardEvents, SANDBOX } from "./stripe-cli";
import { command, dim, green, red, say, warn, yellow } from "./terminal";

/*
 * npm run billing:verify: runs lib/billing/contract.ts against Stripe; the tests run it against the
 * stand-in. It creates customers, advances their time and deletes them, so it accepts only the key
 * of a test account.
 */

const byHand = [
  "Buy a plan once on Stripe's own pages: set this key, `npm run dev`, Upgrade, card 4242 4242 4242 4242.",
  "On that page: the day on which the trial ends. In the portal: a new card, cancel, keep.",
  "Whether a new card in the portal pays an open invoice at once.",
  "The schedule for retrying a failed card: 14 days, in the dashboard.",
  "Cards that ask for a confirmation (SCA): card 4000 0025 0000 3155.",
  "Taxes and refunds.",
];

command(async () => {
  readEnvFiles();
  const [key, api] = [readVariable("STRIPE_SECRET_KEY"), readVariable("STRIPE_API_URL")];
  if (!key) return startSandbox();
  if (!/^[rs]k_test_/.test(key))
    throw new Error(
      "STRIPE_SECRET_KEY is not the key of a test account (sk_test_… or rk_test_…), and this command creates and deletes customers.",
    );
  const receiver = await startReceiver();
  const forwarding = await forwardEvents(key, receiver.url);
  const own = `whsec_${randomBytes(24).toString("hex")}`;
  const isForwarded = typeof forwarding !== "string";
  const secrets = isForwarded ? [own, forwarding.secret] : [own];
  const account = { key, secrets, ...(api && { url: api }) };
  const run = new Run({
    ...{ provider: stripeProvider(account), stripe: await stripeClient(account), secret: own },
    deliveries: isForwarded ? receiver.deliveries : forwarding,
  });
  say("", `Checking what billing expects of ${api ?? "Stripe"}`, "");
  try {
    await verify(run);
  } finally {
    if (isForwarded) forwarding.stop();
    receiver.stop();
  }
});

async function startSandbox(): Promise<never> {
  say(
    "",
    "STRIPE_SECRET_KEY is not set. This makes a temporary account for tests, without a login:",
  );
  say("", SANDBOX, "");
  if (!(await createSandbox()))
    throw new Error(
      "No account was made: Stripe's command line could not be downloaded, or it failed. Set STRIPE_SECRET_KEY to a key of a test account (sk_test_…).",
    );
  throw new Error(
    "Nothing is checked yet. Set STRIPE_SECRET_KEY to the secret key that was shown, and run `npm run billing:verify` again.",
  );
}

/** Runs all cases. Throws at the end if one has failed. */
async function verify(run: Run): Promise<void> {
  const [failed, unchecked]: [string[], string[]] = [[], []];
  for (const { name, check } of contract) {
    try {
      await check(run);
      say(`${green("✓")} ${name}`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const isUnchecked = error instanceof NotChecked;
      (isUnchecked ? unchecked : failed).push(name);
      if (isUnchecked) say(`${yellow("–")} ${name}`, dim(`    not checked: ${reason}`));
      else say(`${red("✗")} ${name}`, ...reason.split("\n").map((line) => `    ${line}`));
    }
  }
  for (const line of await run.cleanUp()) warn(`Not deleted: ${line}`);
  say("", "Check by hand what no API can show:");
  say(...byHand.map((line) => `- ${line}`), "");
  const passed = contract.length - failed.length - unchecked.length;
  say(`${passed} passed, ${failed.length} failed, ${unchecked.length} not checked.`, "");
  if (failed.length > 0) throw new Error("Stripe does not do what billing expects: see above.");
}
