"use server";

import { redirect } from "next/navigation";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { redeemDisownLink } from "@/lib/auth/account/disowned-login";
import { database } from "@/lib/db/client";
import { token } from "@/lib/fields";
import { type FormState, readForm } from "@/lib/form";
import { consume, network } from "@/lib/rate-limits";
import { rememberDevice } from "@/lib/web/cookies";
import { currentClient, redirectIfUnreachable, requireSameOrigin } from "@/lib/web/request";
import { deleteEndedSessionCookie } from "@/lib/web/session";

const schema = z.object({ token });

export async function disownLogin(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const read = readForm(schema, form);
  if (!read.ok) return read.state;

  const client = await currentClient();
  const taken = await consume(database(), "redeemPerAddress", network(client.ip)).catch(
    redirectIfUnreachable,
  );
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const result = await redeemDisownLink(database(), read.data.token, client);

  if (!result.ok) return { message: "This link no longer works. Choose a new password instead." };
  await deleteEndedSessionCookie();
  await rememberDevice(result.account);
  redirect(result.mailed ? "/login?notice=disowned" : "/login?notice=disowned-elsewhere");
}
