"use server";

import { redirect } from "next/navigation";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { redeemPasswordReset } from "@/lib/auth/account/password-change";
import { database } from "@/lib/db/client";
import { checkbox, password, passwordFaults, token } from "@/lib/fields";
import { type FormState, readForm, typedValues } from "@/lib/form";
import { consume, network } from "@/lib/rate-limits";
import { rememberDevice } from "@/lib/web/cookies";
import { currentClient, redirectIfUnreachable, requireSameOrigin } from "@/lib/web/request";
import { deleteEndedSessionCookie } from "@/lib/web/session";

const schema = z.object({ token, password, revoke: checkbox });

export async function setNewPassword(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const read = readForm(schema, form);
  if (!read.ok) return read.state;

  const client = await currentClient();
  const taken = await consume(database(), "redeemPerAddress", network(client.ip)).catch(
    redirectIfUnreachable,
  );
  const values = typedValues(schema, form);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter), values };

  const { token: link, password, revoke: revokeApiKeys } = read.data;
  const result = await redeemPasswordReset(database(), link, { password, revokeApiKeys }, client);

  if (!result.ok && result.reason === "password")
    return { errors: { password: passwordFaults[result.fault] }, values };
  if (!result.ok) return { message: "This link no longer works. Request a new one." };
  await deleteEndedSessionCookie();
  await rememberDevice(result.account);
  redirect("/login?notice=password-reset");
}
