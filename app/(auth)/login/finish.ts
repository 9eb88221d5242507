import "server-only";
import type { Route } from "next";
import { redirect } from "next/navigation";
import { resetLogInLimits } from "@/lib/auth/login/limits";
import { finishLogIn } from "@/lib/auth/login/log-in";
import { parseSealingKeys } from "@/lib/auth/sealing";
import { database } from "@/lib/db/client";
import { env } from "@/lib/env";
import type { FormState } from "@/lib/form";
import {
  currentBrowser,
  currentPendingLogin,
  presentedToken,
  rememberBrowser,
  setPendingCookie,
  setSessionCookie,
} from "@/lib/web/cookies";
import { currentClient } from "@/lib/web/request";

/**
 * The second step of a login, for the two pages that take a code. The browser's pending login
 * identifies the user. Both pages accept both kinds of code. `field` is the field with the error.
 */
export async function finish(
  field: "code" | "recoveryCode",
  code: string,
  next: string,
): Promise<FormState> {
  const pending = await currentPendingLogin();
  if (!pending) redirect("/login?notice=login-expired");
  const client = await currentClient();
  const browser = await currentBrowser(pending.email);
  const result = await finishLogIn(database(), pending, code, {
    ...{ presented: await presentedToken(), known: browser, client },
    keys: parseSealingKeys(env().ENCRYPTION_KEYS),
  });

  if (!result.ok && result.reason === "ended") {
    await setPendingCookie(null);
    redirect("/login?notice=login-expired");
  }
  if (!result.ok && result.reason === "limited")
    return { message: tooManyCodes(result.retryAfter), help: recoveryLink(next) };
  if (!result.ok) return { errors: { [field]: "That code is wrong or was used already." } };
  const attempt = { email: pending.email, ip: client.ip, browser: browser?.id ?? null };
  await resetLogInLimits(database(), attempt);
  await setPendingCookie(null);
  await setSessionCookie(result.token, result.persistent);
  await rememberBrowser(result.account, true);
  if (result.amr === "recovery") redirect("/settings/two-factor?notice=recovery-code-used");
  redirect(next as Route); // safeNext, in the action: a path of this site
}

function tooManyCodes(retryAfter: number): string {
  const minutes = Math.ceil(retryAfter / 60);
  return `Too many codes. Try again in ${minutes} minute${minutes === 1 ? "" : "s"}, or use a recovery code.`;
}

function recoveryLink(next: string): FormState["help"] {
  return { href: `/login/recovery?next=${encodeURIComponent(next)}`, label: "Use a recovery code" };
}
