"use server";

import { redirect } from "next/navigation";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { addMail } from "@/lib/auth/mails/jobs";
import { database } from "@/lib/db/client";
import { email } from "@/lib/fields";
import { type FormState, readForm } from "@/lib/form";
import { consumeMail } from "@/lib/rate-limits";
import { currentClient, redirectIfUnreachable, requireSameOrigin } from "@/lib/web/request";

const schema = z.object({ email });

/** Does the same work for every email. Rendering the mail looks up whether it has an account. */
export async function signUp(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const read = readForm(schema, form);
  if (!read.ok) return read.state;
  const { email: to } = read.data;

  const taken = await consumeMail(database(), "sign-up", to, (await currentClient()).ip).catch(
    redirectIfUnreachable,
  );
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter), values: { email: to } };

  await addMail(database(), "sign-up", { to });
  redirect("/signup?notice=check-your-email");
}
