"use server";

import { redirect } from "next/navigation";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { redeemBrowserLink } from "@/lib/auth/login/browser-confirmations";
import { database } from "@/lib/db/client";
import { token } from "@/lib/fields";
import { type FormState, readForm } from "@/lib/form";
import { consume, network } from "@/lib/rate-limits";
import { rememberDevice } from "@/lib/web/cookies";
import { currentClient, redirectIfUnreachable, requireSameOrigin } from "@/lib/web/request";

const schema = z.object({ token });

export async function confirmBrowser(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const read = readForm(schema, form);
  if (!read.ok) return read.state;

  const client = await currentClient();
  const taken = await consume(database(), "redeemPerAddress", network(client.ip)).catch(
    redirectIfUnreachable,
  );
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const result = await redeemBrowserLink(database(), read.data.token, client);

  if (!result.ok) return { message: "This link no longer works. Request a new one." };
  await rememberDevice(result.account);
  redirect("/login?notice=browser-confirmed");
}
