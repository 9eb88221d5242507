"use server";

import { redirect } from "next/navigation";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { redeemEmailChange } from "@/lib/auth/account/email-change";
import { database } from "@/lib/db/client";
import { token } from "@/lib/fields";
import { type FormState, readForm } from "@/lib/form";
import { consume, network } from "@/lib/rate-limits";
import { currentClient, redirectIfUnreachable, requireSameOrigin } from "@/lib/web/request";
import { currentSession } from "@/lib/web/session";

const schema = z.object({ token });

const refusals = {
  "dead-link": "This link no longer works. Request another in your profile.",
  taken: "Another account uses this email now. Nothing was changed.",
};

export async function confirmEmail(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await currentSession();
  const read = readForm(schema, form);
  if (!read.ok) return read.state;

  const client = await currentClient();
  const taken = await consume(database(), "redeemPerAddress", network(client.ip)).catch(
    redirectIfUnreachable,
  );
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const result = await redeemEmailChange(database(), read.data.token, { session, client });

  if (!result.ok) return { message: refusals[result.reason] };
  redirect(result.kept ? "/settings/profile?notice=email-changed" : "/login?notice=email-changed");
}
