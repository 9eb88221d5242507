"use server";

import { redirect } from "next/navigation";
import { z } from "zod";
import { redeemEmailRestore } from "@/lib/auth/account/email-change";
import { database } from "@/lib/db/client";
import { token } from "@/lib/fields";
import type { FormState } from "@/lib/form";
import { product } from "@/lib/product";
import { rememberBrowser } from "@/lib/web/cookies";
import { requireSameOrigin } from "@/lib/web/request";
import { deleteEndedSessionCookie } from "@/lib/web/session";
import { readLinkForm } from "../../read-link-form";

const schema = z.object({ token });

const refusals = {
  "dead-link": "This link no longer works.",
  taken: `Another account uses this email now. Write to ${product.supportEmail}, and we will find out who owns it.`,
};

export async function restoreEmail(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const read = await readLinkForm(schema, form);
  if (!read.ok) return read.state;

  const result = await redeemEmailRestore(database(), read.data.token, read.client);

  if (!result.ok) return { message: refusals[result.reason] };
  await deleteEndedSessionCookie();
  await rememberBrowser(result.account);
  redirect("/login?notice=email-restored");
}
