"use server";

import { redirect } from "next/navigation";
import { after } from "next/server";
import { z } from "zod";
import { requireSameOrigin } from "@/lib/auth/current";
import { startSignUp } from "@/lib/auth/sign-ups";
import { database } from "@/lib/db/client";
import { env } from "@/lib/env";
import { email } from "@/lib/fields";
import { type FormState, readForm } from "@/lib/form";
import { accountExistsMail, signUpMail } from "@/lib/mail/messages";
import { sendMail } from "@/lib/mail/send";

const schema = z.object({ email });

export async function signUp(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const read = readForm(schema, form);
  if (!read.ok) return read.state;

  const token = await startSignUp(database(), read.data.email);

  const { APP_URL } = env();
  const mail = token
    ? signUpMail(read.data.email, `${APP_URL}/signup/${token}`)
    : accountExistsMail(read.data.email, `${APP_URL}/login`);
  // After the answer, so that its time does not tell which of the two it is.
  after(() => sendMail(mail));
  redirect("/signup?notice=check-your-email");
}
