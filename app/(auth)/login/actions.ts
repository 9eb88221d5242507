"use server";

import type { Route } from "next";
import { redirect } from "next/navigation";
import { after } from "next/server";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { recordFailure } from "@/lib/audit";
import { checkPasskey } from "@/lib/auth/credentials/passkeys";
import { consumeLogIn, resetLogInLimits } from "@/lib/auth/login/limits";
import * as auth from "@/lib/auth/login/log-in";
import { database } from "@/lib/db/client";
import { checkbox, credential, email, password } from "@/lib/fields";
import { type FormState, readForm, typedValues } from "@/lib/form";
import { safeNext } from "@/lib/http";
import { product } from "@/lib/product";
import { consume, network } from "@/lib/rate-limits";
import {
  currentBrowser,
  presentedPending,
  presentedToken,
  rememberBrowser,
  setPendingCookie,
  setSessionCookie,
} from "@/lib/web/cookies";
import { passkeyChallenge, passkeySite } from "@/lib/web/passkeys";
import { currentClient, redirectIfUnreachable, requireSameOrigin } from "@/lib/web/request";

const schema = z.object({ email, password, remember: checkbox, next: z.string().optional() });

const refusals = {
  incorrect: "Email or password is incorrect.",
  suspended: `This account is suspended. Write to ${product.supportEmail} if you think this is a mistake.`,
};

/** The same message for every email, with or without an account. */
const unconfirmed = {
  message:
    "There were too many wrong passwords for this email. Confirm this browser with a link sent to that email, then log in.",
  help: { href: "/confirm-browser", label: "Confirm this browser" },
};

export async function logIn(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const read = readForm(schema, form);
  if (!read.ok) return read.state;
  const { remember: persistent, next, ...credentials } = read.data;
  const values = typedValues(schema, form);

  const client = await currentClient();
  const browser = await currentBrowser(credentials.email);
  const attempt = { email: credentials.email, ip: client.ip, browser: browser?.id ?? null };
  const taken = await consumeLogIn(database(), attempt).catch(redirectIfUnreachable);
  if (!taken.ok && taken.reason === "browser-unconfirmed") return { ...unconfirmed, values };
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter), values };

  const result = await auth.logIn(database(), {
    ...credentials,
    persistent,
    presented: await presentedToken(),
    presentedPending: await presentedPending(),
    knownBrowser: browser !== null,
    client,
  });

  if (!result.ok && result.reason === "incorrect")
    after(() => recordFailure(database(), "log-in-failed", credentials, client));
  if (!result.ok && result.reason === "code-needed") {
    await setPendingCookie(result.pending);
    redirect(`/login/code?next=${encodeURIComponent(safeNext(next))}`);
  }
  if (!result.ok) return { message: refusals[result.reason], values };
  await resetLogInLimits(database(), attempt);
  await setPendingCookie(null);
  await setSessionCookie(result.token, persistent);
  await rememberBrowser(result.account);
  redirect(safeNext(next) as Route); // safeNext: a path of this site
}

const passkeySchema = z.object({ credential, remember: checkbox, next: z.string().optional() });

const asked = { purpose: "log-in", context: "" } as const;

const passkeyRefusals = {
  unknown: "This passkey is not known here. It was probably removed.",
  expired: "This took too long. Try again.",
  incorrect: "This passkey was not accepted. Try again.",
  "other-domain": "This passkey belongs to another address of this site.",
  copied:
    "This passkey was refused, because it seems to have been copied. We have sent you an email.",
  suspended: refusals.suspended,
};

/** Every response except success contains a new challenge, so the browser can ask again at once. */
export async function logInWithPasskey(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const read = readForm(passkeySchema, form);
  if (!read.ok) return { message: passkeyRefusals.incorrect, passkey: passkeyChallenge(asked) };
  const client = await currentClient();
  const taken = await consume(database(), "passkeyPerAddress", network(client.ip)).catch(
    redirectIfUnreachable,
  );
  if (!taken.ok)
    return { message: rateLimitMessage(taken.retryAfter), passkey: passkeyChallenge(asked) };

  const { credential: answer, remember: persistent, next } = read.data;
  const checked = await checkPasskey(database(), passkeySite(), answer, asked);
  if (!checked.ok) {
    const unknown = checked.reason === "unknown" ? checked.credentialId : undefined;
    const passkey = { ...passkeyChallenge(asked), unknown };
    return { message: passkeyRefusals[checked.reason], passkey };
  }
  const browser = await currentBrowser(checked.passkey.email);
  const result = await auth.logInWithPasskey(database(), checked.passkey, {
    ...{ persistent, client, knownBrowser: browser !== null },
    ...{ presented: await presentedToken(), presentedPending: await presentedPending() },
  });
  if (!result.ok && result.reason === "code-needed")
    throw new Error("logInWithPasskey: a passkey is both factors.");
  if (!result.ok)
    return { message: passkeyRefusals[result.reason], passkey: passkeyChallenge(asked) };
  await setPendingCookie(null);
  await setSessionCookie(result.token, persistent);
  await rememberBrowser(result.account, true);
  redirect(safeNext(next) as Route); // safeNext: a path of this site
}
