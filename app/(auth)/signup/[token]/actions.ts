"use server";

import { redirect } from "next/navigation";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { redeemSignUp } from "@/lib/auth/account/sign-up";
import { database } from "@/lib/db/client";
import { name, password, passwordFaults, token } from "@/lib/fields";
import { type FormState, readForm, typedValues } from "@/lib/form";
import { consume, network } from "@/lib/rate-limits";
import { presentedToken, rememberDevice, setSessionCookie } from "@/lib/web/cookies";
import { currentClient, redirectIfUnreachable, requireSameOrigin } from "@/lib/web/request";

const schema = z.object({ token, name, password });

export async function createAccount(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const read = readForm(schema, form);
  if (!read.ok) return read.state;
  const { token: link, ...chosen } = read.data;
  const values = typedValues(schema, form);

  const client = await currentClient();
  const taken = await consume(database(), "redeemPerAddress", network(client.ip)).catch(
    redirectIfUnreachable,
  );
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter), values };

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
