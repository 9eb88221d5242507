"use server";

import { redirect } from "next/navigation";
import { z } from "zod";
import { currentClient, presentedToken, requireSameOrigin, startSession } from "@/lib/auth/current";
import { passwordPolicy } from "@/lib/auth/policy";
import { redeemSignUp } from "@/lib/auth/sign-ups";
import { database } from "@/lib/db/client";
import { name, password } from "@/lib/fields";
import { type FormState, readForm, typedValues } from "@/lib/form";

const schema = z.object({ token: z.string().meta({ secret: true }), name, password });

const faults = {
  "too-short": `Use at least ${passwordPolicy.minLength} characters.`,
  "too-long": `Use at most ${passwordPolicy.maxLength} characters.`,
  common: "This password is on the lists that attackers try first. Choose another.",
  personal: "This is little more than your name, your address or ours. Choose another.",
};

export async function createAccount(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const read = readForm(schema, form);
  if (!read.ok) return read.state;

  const { token, ...chosen } = read.data;
  const result = await redeemSignUp(database(), token, chosen, {
    presented: await presentedToken(),
    client: await currentClient(),
  });

  if (!result.ok && result.reason === "password")
    return { errors: { password: faults[result.fault] }, values: typedValues(schema, form) };
  if (!result.ok) return { message: "This link no longer works. Sign up again to get a new one." };
  await startSession(result.token, true);
  redirect("/dashboard");
}
