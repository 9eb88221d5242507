"use server";

import { revalidatePath } from "next/cache";
import { redirect } from "next/navigation";
import { z } from "zod";
import { limited } from "@/app/_ui/limited";
import * as accounts from "@/lib/auth/accounts";
import { endSession, requireSameOrigin, requireSession } from "@/lib/auth/current";
import { verifyPassword } from "@/lib/auth/passwords";
import { changeName } from "@/lib/auth/users";
import { database } from "@/lib/db/client";
import { email, name, password } from "@/lib/fields";
import { type FormState, readForm, typedValues } from "@/lib/form";
import { addJob } from "@/lib/jobs";
import { take, takeMail } from "@/lib/limits";

const profile = z.object({ name });

export async function saveProfile(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSession("/settings/profile");
  const read = readForm(profile, form);
  if (!read.ok) return read.state;

  await changeName(database(), session, read.data.name);
  // The shell shows the name too, and the browser would keep the one it has.
  revalidatePath("/", "layout");
  redirect("/settings/profile?notice=saved");
}

const emailChange = z.object({ email, "email-password": password });

/** The same answer for every address: that one is taken is told to its owner alone. */
export async function changeEmail(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSession("/settings/profile");
  const read = readForm(emailChange, form);
  if (!read.ok) return read.state;
  const { email: to, "email-password": typed } = read.data;
  const values = typedValues(emailChange, form);
  if (to === session.user.email)
    return { errors: { email: "This is your address already." }, values };

  const confirmed = await take(database(), "confirmPerUser", session.userId);
  if (!confirmed.ok) return { message: limited(confirmed.retryAfter), values };
  const proof = await verifyPassword(database(), session.user.email, typed);
  if (proof?.userId !== session.userId)
    return { errors: { "email-password": "This is not your password." }, values };
  const mailed = await takeMail(database(), "email-change", to, session.client.ip);
  if (!mailed.ok) return { message: limited(mailed.retryAfter), values };

  await addJob(database(), "mail", {
    mail: "email-change",
    userId: session.userId,
    to,
    authVersion: proof.authVersion,
  });
  redirect("/settings/profile?notice=email-link-sent");
}

const deletion = z.object({ confirmation: email, "delete-password": password });

export async function deleteAccount(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSession("/settings/profile");
  const read = readForm(deletion, form);
  if (!read.ok) return read.state;
  const values = typedValues(deletion, form);
  if (read.data.confirmation !== session.user.email)
    return { errors: { confirmation: "Type your address exactly as it stands above." }, values };

  const taken = await take(database(), "confirmPerUser", session.userId);
  if (!taken.ok) return { message: limited(taken.retryAfter), values };

  const result = await accounts.deleteAccount(database(), session, read.data["delete-password"]);

  if (!result.ok) return { errors: { "delete-password": "This is not your password." }, values };
  await endSession();
  redirect("/login?notice=account-deleted");
}
