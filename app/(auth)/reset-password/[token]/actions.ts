"use server";

import { redirect } from "next/navigation";
import { z } from "zod";
import { limited } from "@/app/_ui/limited";
import { currentClient, endSession, requireSameOrigin, unavailable } from "@/lib/auth/current";
import { redeemPasswordReset } from "@/lib/auth/password-changes";
import { database } from "@/lib/db/client";
import { password, passwordFaults, token } from "@/lib/fields";
import { type FormState, readForm } from "@/lib/form";
import { network, take } from "@/lib/limits";

const schema = z.object({ token, password });

export async function setNewPassword(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const read = readForm(schema, form);
  if (!read.ok) return read.state;

  const client = await currentClient();
  const taken = await take(database(), "redeemPerAddress", network(client.ip)).catch(unavailable);
  if (!taken.ok) return { message: limited(taken.retryAfter) };

  const result = await redeemPasswordReset(database(), read.data.token, read.data.password, client);

  if (!result.ok && result.reason === "password")
    return { errors: { password: passwordFaults[result.fault] } };
  if (!result.ok) return { message: "This link no longer works. Ask for a new one." };
  await endSession();
  redirect("/login?notice=password-reset");
}
