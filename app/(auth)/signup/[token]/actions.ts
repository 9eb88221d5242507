"use server";

import { redirect } from "next/navigation";
import { z } from "zod";
import { redeemSignUp } from "@/lib/auth/account/sign-up";
import { passwordFaults } from "@/lib/auth/credentials/passwords";
import { database } from "@/lib/db/client";
import { name, password, token } from "@/lib/fields";
import { type FormState, typedValues } from "@/lib/form";
import { presentedToken, rememberDevice, setSessionCookie } from "@/lib/web/cookies";
import { requireSameOrigin } from "@/lib/web/request";
import { readLinkForm } from "../../read-link-form";

const schema = z.object({ token, name, password });

export async function createAccount(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const read = await readLinkForm(schema, form);
  if (!read.ok) return read.state;
  const { client, data } = read;
  const { token: link, ...chosen } = data;
  const values = typedValues(schema, form);

  const presented = await presentedToken();
  const result = await redeemSignUp(database(), link, chosen, { presented, client });

  if (!result.ok && result.reason === "password")
    return { errors: { password: passwordFaults[result.fault] }, values };
  if (!result.ok)
    return { message: "This link no longer works. Sign up again to get a new one.", values };
  await setSessionCookie(result.token, true);
  await rememberDevice(result.account);
  redirect("/dashboard");
}
