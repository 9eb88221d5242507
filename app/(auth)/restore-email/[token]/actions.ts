"use server";

import { redirect } from "next/navigation";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { redeemEmailRestore } from "@/lib/auth/account/email-change";
import { database } from "@/lib/db/client";
import { token } from "@/lib/fields";
import { type FormState, readForm } from "@/lib/form";
import { product } from "@/lib/product";
import { consume, network } from "@/lib/rate-limits";
import { rememberDevice } from "@/lib/web/cookies";
import { currentClient, redirectIfUnreachable, requireSameOrigin } from "@/lib/web/request";
import { deleteEndedSessionCookie } from "@/lib/web/session";

const schema = z.object({ token });

const refusals = {
  "dead-link": "This link no longer works.",
  taken: `Another account uses this email now. Write to ${product.supportEmail}, and we will find out who owns it.`,
};

export async function restoreEmail(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const read = readForm(schema, form);
  if (!read.ok) return read.state;

  const client = await currentClient();
  const taken = await consume(database(), "redeemPerAddress", network(client.ip)).catch(
    redirectIfUnreachable,
  );
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const result = await redeemEmailRestore(database(), read.data.token, client);

  if (!result.ok) return { message: refusals[result.reason] };
  await deleteEndedSessionCookie();
  await rememberDevice(result.account);
  redirect("/login?notice=email-restored");
}
