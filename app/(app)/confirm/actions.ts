"use server";

import type { Route } from "next";
import { redirect } from "next/navigation";
import { after } from "next/server";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { recordFailure } from "@/lib/audit";
import { confirmSession } from "@/lib/auth/login/confirm";
import { parseSealingKeys } from "@/lib/auth/sealing";
import { database } from "@/lib/db/client";
import { env } from "@/lib/env";
import { code, password } from "@/lib/fields";
import { type FormState, readForm } from "@/lib/form";
import { safeNext } from "@/lib/http";
import { consume } from "@/lib/rate-limits";
import { presentedToken, setSessionCookie } from "@/lib/web/cookies";
import { requireSameOrigin } from "@/lib/web/request";
import { requireSession } from "@/lib/web/session";

const schema = z.object({ password, code: code.optional(), next: z.string().optional() });

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
  // Overtaken: the request that was first has put what counts now into the browser.
  if (result.ok) await setSessionCookie(result.token, session.persistent);
  redirect(safeNext(read.data.next) as Route); // safeNext: a path of this site
}
