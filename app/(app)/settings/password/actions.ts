"use server";

import { redirect } from "next/navigation";
import { after } from "next/server";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { recordFailure } from "@/lib/audit";
import * as auth from "@/lib/auth/account/password-change";
import { passwordFaults } from "@/lib/auth/credentials/passwords";
import { database } from "@/lib/db/client";
import { password } from "@/lib/fields";
import { type FormState, readForm } from "@/lib/form";
import { consume } from "@/lib/rate-limits";
import { presentedToken, rememberDevice, setSessionCookie } from "@/lib/web/cookies";
import { requireSameOrigin } from "@/lib/web/request";
import { requireSession } from "@/lib/web/session";

const schema = z.object({ current: password, next: password });

export async function changePassword(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSession("/settings/password");
  const presented = await presentedToken();
  const read = readForm(schema, form);
  if (!read.ok) return read.state;

  const taken = await consume(database(), "confirmPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const result = await auth.changePassword(database(), session, {
    presented: presented ?? "",
    ...read.data,
  });

  if (result.ok) {
    await setSessionCookie(result.token, session.persistent);
    await rememberDevice(result.account);
    redirect("/settings/password?notice=password-changed");
  }
  if (result.reason === "incorrect") {
    const user = { userId: session.userId, sessionId: session.id };
    after(() => recordFailure(database(), "confirmation-failed", user, session.client));
    return { errors: { current: "This is not your password." } };
  }
  if (result.reason === "password") return { errors: { next: passwordFaults[result.fault] } };
  return {
    message:
      "Your account was changed on another device in the meantime. Reload the page and try again.",
  };
}
