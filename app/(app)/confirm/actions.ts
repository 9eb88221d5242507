"use server";

import type { Route } from "next";
import { redirect } from "next/navigation";
import { after } from "next/server";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { recordFailure } from "@/lib/audit";
import { checkPasskey } from "@/lib/auth/credentials/passkeys";
import {
  confirmingWithPasskey,
  confirmSession,
  confirmWithCode,
  confirmWithPasskey,
} from "@/lib/auth/login/confirm";
import { parseSealingKeys } from "@/lib/auth/sealing";
import { database } from "@/lib/db/client";
import { env } from "@/lib/env";
import { code, credential, password } from "@/lib/fields";
import { type FormState, readForm } from "@/lib/form";
import { safeNext } from "@/lib/http";
import { consume } from "@/lib/rate-limits";
import { presentedToken, setSessionCookie } from "@/lib/web/cookies";
import { passkeyChallenge, passkeySite } from "@/lib/web/passkeys";
import { requireSameOrigin } from "@/lib/web/request";
import { requireSession } from "@/lib/web/session";

const schema = z.object({ password, code: code.optional(), next: z.string().optional() });
const codeSchema = z.object({ code, next: z.string().optional() });

/** Confirms an account without a password: its only proof is the code, required as at a login. */
export async function confirmByCode(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSession("/confirm");
  const presented = await presentedToken();
  const read = readForm(codeSchema, form);
  if (!read.ok) return read.state;

  const taken = await consume(database(), "confirmPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const result = await confirmWithCode(database(), session, {
    ...{ presented: presented ?? "", code: read.data.code },
    keys: parseSealingKeys(env().ENCRYPTION_KEYS),
  });
  if (!result.ok && result.reason === "limited")
    return { message: rateLimitMessage(result.retryAfter) };
  if (!result.ok && result.reason !== "overtaken")
    return { errors: { code: "That code is wrong or was used already." } };
  if (result.ok) await setSessionCookie(result.token, session.persistent);
  redirect(safeNext(read.data.next) as Route); // safeNext: a path of this site
}

export async function confirm(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSession("/confirm");
  const presented = await presentedToken();
  const read = readForm(schema, form);
  if (!read.ok) return read.state;

  const taken = await consume(database(), "confirmPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const result = await confirmSession(database(), session, {
    presented: presented ?? "",
    password: read.data.password,
    code: read.data.code,
    keys: parseSealingKeys(env().ENCRYPTION_KEYS),
  });

  if (!result.ok && result.reason === "incorrect") {
    const user = { userId: session.userId, sessionId: session.id };
    after(() => recordFailure(database(), "confirmation-failed", user, session.client));
    return { errors: { password: "This is not your password." } };
  }
  if (!result.ok && result.reason === "limited")
    return { message: rateLimitMessage(result.retryAfter) };
  if (!result.ok && result.reason === "code-incorrect")
    return { errors: { code: "That code is wrong or was used already." } };
  // Overtaken: the request that came first has already set the current cookie in the browser.
  if (result.ok) await setSessionCookie(result.token, session.persistent);
  redirect(safeNext(read.data.next) as Route); // safeNext: a path of this site
}

const passkeySchema = z.object({ credential, next: z.string().optional() });

const refusals = {
  unknown: "This passkey is not known here. It was probably removed.",
  expired: "This took too long. Try again.",
  incorrect: "This passkey was not accepted. Use a passkey of this account.",
  "other-domain": "This passkey belongs to another address of this site.",
  copied:
    "This passkey was refused, because it seems to have been copied. We have sent you an email.",
};

export async function confirmByPasskey(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSession("/confirm");
  const presented = await presentedToken();
  const asked = confirmingWithPasskey(session);
  const read = readForm(passkeySchema, form);
  if (!read.ok) return { message: refusals.incorrect, passkey: passkeyChallenge(asked) };

  const taken = await consume(database(), "confirmPerUser", session.userId);
  if (!taken.ok)
    return { message: rateLimitMessage(taken.retryAfter), passkey: passkeyChallenge(asked) };

  const checked = await checkPasskey(database(), passkeySite(), read.data.credential, asked);
  if (!checked.ok) {
    const unknown = checked.reason === "unknown" ? checked.credentialId : undefined;
    const passkey = { ...passkeyChallenge(asked), unknown };
    return { message: refusals[checked.reason], passkey };
  }
  const result = await confirmWithPasskey(database(), session, {
    ...{ presented: presented ?? "", passkey: checked.passkey },
  });
  if (!result.ok && result.reason !== "overtaken")
    return { message: refusals[result.reason], passkey: passkeyChallenge(asked) };
  // Overtaken: the request that came first has already set the current cookie in the browser.
  if (result.ok) await setSessionCookie(result.token, session.persistent);
  redirect(safeNext(read.data.next) as Route); // safeNext: a path of this site
}
