"use server";

import { redirect } from "next/navigation";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import {
  invalidateAllUserSessions,
  invalidateOtherSessions,
  invalidateSession,
} from "@/lib/auth/sessions/end";
import { database } from "@/lib/db/client";
import { id } from "@/lib/fields";
import { type FormState, readForm } from "@/lib/form";
import { consume } from "@/lib/rate-limits";
import { deleteSessionCookie } from "@/lib/web/cookies";
import { requireSameOrigin } from "@/lib/web/request";
import { requireSession } from "@/lib/web/session";
import { requireRecentProof, requireSudo } from "@/lib/web/sudo";

const schema = z.object({ id });

// The page to return to after confirming. Its notice explains that nothing was logged out yet.
const confirmed = "/settings/devices?notice=confirmed";
const submitted = { form: "log-out", values: {} };

export async function logOutDevice(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSession("/settings/devices");
  const read = readForm(schema, form);
  if (!read.ok) redirect("/settings/devices?notice=device-gone");

  // Logging out this device needs no proof. Logging out others does, because otherwise an attacker
  // with a stolen session could lock the owner out.
  if (read.data.id !== session.id) await requireRecentProof(session, confirmed, submitted);
  const taken = await consume(database(), "endPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const ended = await invalidateSession(database(), session, read.data.id);

  if (read.data.id === session.id) {
    await deleteSessionCookie();
    redirect("/login?notice=logged-out");
  }
  redirect(`/settings/devices?notice=${ended ? "device-logged-out" : "device-gone"}`);
}

export async function logOutOtherDevices(
  _previous: FormState,
  _form: FormData,
): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSudo(confirmed, submitted);
  const taken = await consume(database(), "endPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  await invalidateOtherSessions(database(), session);
  redirect("/settings/devices?notice=others-logged-out");
}

export async function logOutEverywhere(_previous: FormState, _form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSudo(confirmed, submitted);
  const taken = await consume(database(), "endPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  await invalidateAllUserSessions(database(), session.userId, session.client);
  await deleteSessionCookie();
  redirect("/login?notice=logged-out-everywhere");
}
