"use server";

import { revalidatePath } from "next/cache";
import { redirect } from "next/navigation";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import * as accounts from "@/lib/auth/account/deletion";
import { requestEmailChange } from "@/lib/auth/account/email-change";
import { changeName } from "@/lib/auth/account/profile";
import { database } from "@/lib/db/client";
import { email, name } from "@/lib/fields";
import { type FormState, readForm, typedValues } from "@/lib/form";
import { consume, consumeMail } from "@/lib/rate-limits";
import { settleTeams } from "@/lib/teams/account-end";
import { deleteSessionCookie } from "@/lib/web/cookies";
import { requireSameOrigin } from "@/lib/web/request";
import { requireSession } from "@/lib/web/session";
import { requireRecentProof, requireSudo } from "@/lib/web/sudo";

const profile = z.object({ name });

export async function saveProfile(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSession("/settings/profile");
  const read = readForm(profile, form);
  if (!read.ok) return read.state;
  const taken = await consume(database(), "profilePerUser", session.userId);
  if (!taken.ok)
    return { message: rateLimitMessage(taken.retryAfter), values: typedValues(profile, form) };

  await changeName(database(), session, read.data.name);
  // The shell shows the name too, and the browser would keep its cached copy.
  revalidatePath("/settings", "layout");
  redirect("/settings/profile?notice=saved");
}

const emailChange = z.object({ email });

/** Responds the same for every email. Only the owner of an email in use learns that it is. */
export async function changeEmail(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSudo("/settings/profile", {
    form: "change-email",
    values: typedValues(emailChange, form),
  });
  const read = readForm(emailChange, form);
  if (!read.ok) return read.state;
  const { email: to } = read.data;
  const values = typedValues(emailChange, form);
  if (to === session.user.email)
    return { errors: { email: "This is already your email." }, values };

  const taken = await consumeMail(database(), "email-change", to, session.client.ip);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter), values };

  await requestEmailChange(database(), session, to);
  redirect("/settings/profile?notice=email-link-sent");
}

const deletion = z.object({ confirmation: email });

export async function deleteAccount(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const submitted = { form: "delete-account", values: typedValues(deletion, form) };
  const session = await requireSudo("/settings/profile", submitted);
  const read = readForm(deletion, form);
  if (!read.ok) return read.state;
  if (read.data.confirmation !== session.user.email)
    return {
      errors: { confirmation: "Type your email exactly as shown above." },
      values: typedValues(deletion, form),
    };

  const result = await accounts.deleteAccount(database(), session, settleTeams);

  if (!result.ok && result.reason === "needed-by-teams")
    return {
      message: `You are the only owner of ${inList(result.teams)}. First make another member an owner, or delete the team.`,
      help: { href: "/teams", label: "Your teams" },
      values: typedValues(deletion, form),
    };
  // A team that requires two-factor or a passkey cannot be deleted with less.
  if (!result.ok && result.reason === "guarded-teams")
    await requireRecentProof(session, "/settings/profile", submitted, "team-deletion");
  if (!result.ok && result.reason === "last-admin")
    return {
      message: "You are the only administrator. Make another user an administrator first.",
      values: typedValues(deletion, form),
    };
  if (!result.ok) redirect("/login?next=/settings/profile");
  await deleteSessionCookie();
  redirect("/login?notice=account-deleted");
}

const inWords = new Intl.ListFormat("en");

function inList(names: string[]): string {
  return inWords.format(names.map((name) => `“${name}”`));
}
