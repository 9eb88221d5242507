"use server";

import { redirect } from "next/navigation";
import { z } from "zod";
import { redeemPasswordReset } from "@/lib/auth/account/password-change";
import { passwordFaults } from "@/lib/auth/credentials/passwords";
import { database } from "@/lib/db/client";
import { checkbox, password, token } from "@/lib/fields";
import { type FormState, typedValues } from "@/lib/form";
import { rememberBrowser } from "@/lib/web/cookies";
import { requireSameOrigin } from "@/lib/web/request";
import { deleteEndedSessionCookie } from "@/lib/web/session";
import { readLinkForm } from "../../read-link-form";

const reason = z.enum(["forgotten", "attacked"], "Choose one of the two.").optional();
const schema = z.object({ token, password, revoke: checkbox, reason });

export async function setNewPassword(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const read = await readLinkForm(schema, form);
  if (!read.ok) return read.state;
  const values = typedValues(schema, form);

  const { token: link, password, revoke: revokeApiKeys } = read.data;
  const attacked = read.data.reason === "attacked";
  const chosen = { password, revokeApiKeys, attacked };
  const result = await redeemPasswordReset(database(), link, chosen, read.client);

  if (!result.ok && result.reason === "password")
    return { errors: { password: passwordFaults[result.fault] }, values };
  if (!result.ok) return { message: "This link no longer works. Request a new one." };
  await deleteEndedSessionCookie();
  await rememberBrowser(result.account);
  redirect("/login?notice=password-reset");
}
