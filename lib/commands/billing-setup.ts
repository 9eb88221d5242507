import { setUpBilling } from "@/lib/billing/setup";
import { stripeClient } from "@/lib/billing/stripe";
import { readVariable } from "@/lib/env";
import { readEnvFiles } from "./database";
import { command, say } from "./terminal";

/* npm run billing:setup: creates at the payment provider what lib/billing/plans.ts defines. */

command(async () => {
  readEnvFiles();
  const [key, url] = [readVariable("STRIPE_SECRET_KEY"), readVariable("APP_URL")];
  if (!key) throw new Error("Set STRIPE_SECRET_KEY to a secret key of your Stripe account.");
  // A webhook reaches only a public site; for any other, `stripe listen` forwards it.
  const webhook = url?.startsWith("https://") ? `${url}/api/webhooks/stripe` : null;
  const api = readVariable("STRIPE_API_URL");
  const stripe = await stripeClient({ key, ...(api && { url: api }) });
  const { made, webhookSecret } = await setUpBilling(stripe, webhook);
  say(made.length === 0 ? "Everything already exists." : `Made ${made.join(", ")}.`);
  if (!webhook) say("No webhook was made: set APP_URL to the https URL of the site.");
  if (webhookSecret)
    say("", `STRIPE_WEBHOOK_SECRET=${webhookSecret}`, "", "Set it now: it is not shown again.");
});
