"use server";

import { redirect } from "next/navigation";
import { after } from "next/server";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { recordFailure } from "@/lib/audit";
import * as auth from "@/lib/auth/account/password-change";
import * as presence from "@/lib/auth/account/password-presence";
import { passwordFaults } from "@/lib/auth/credentials/passwords";
import { database } from "@/lib/db/client";
import { password } from "@/lib/fields";
import { type FormState, readForm } from "@/lib/form";
import { consume } from "@/lib/rate-limits";
import {
  currentBrowser,
  presentedToken,
  rememberBrowser,
  setSessionCookie,
} from "@/lib/web/cookies";
import { requireSameOrigin } from "@/lib/web/request";
import { requireSession } from "@/lib/web/session";
import { requireSudo } from "@/lib/web/sudo";
import { waysHere } from "@/lib/web/ways-here";

const schema = z.object({ current: password, next: password });

export async function changePassword(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSession("/settings/password");
  const presented = await presentedToken();
  const read = readForm(schema, form);
  if (!read.ok) return read.state;

  const taken = await consume(database(), "confirmPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const browser = await currentBrowser(session.user.email);
  const result = await auth.changePassword(database(), session, {
    presented: presented ?? "",
    ...read.data,
  });

  if (result.ok) {
    await setSessionCookie(result.token, session.persistent);
    await rememberBrowser(result.account, browser?.strong);
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

const first = z.object({ next: password });

// The page to return to after confirming. Its notice explains that nothing was done yet.
const confirmed = "/settings/password?notice=confirmed";
const submitted = { form: "password", values: {} };

export async function setPassword(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSudo(confirmed, submitted);
  const presented = await presentedToken();
  const read = readForm(first, form);
  if (!read.ok) return read.state;
  const taken = await consume(database(), "confirmPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const { next } = read.data;
  const set = await presence.setPassword(database(), session, { presented: presented ?? "", next });
  if (!set.ok && set.reason === "password") return { errors: { next: passwordFaults[set.fault] } };
  if (!set.ok) redirect("/settings/password");
  await setSessionCookie(set.token, session.persistent);
  redirect("/settings/password?notice=password-set");
}

export async function removePassword(_previous: FormState, _form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSudo(confirmed, submitted);
  const presented = await presentedToken();
  const taken = await consume(database(), "confirmPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const here = waysHere();
  const removed = await presence.removePassword(database(), session, presented ?? "", here);
  if (removed.ok) {
    await setSessionCookie(removed.token, session.persistent);
    redirect("/settings/password?notice=password-removed");
  }
  const notice = { "only-way": "only-way", none: "password-none", ended: "", weak: "" };
  redirect(`/settings/password?notice=${notice[removed.reason]}`);
}
