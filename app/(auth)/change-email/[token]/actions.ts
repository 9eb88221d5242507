"use server";

import { redirect } from "next/navigation";
import { z } from "zod";
import { redeemEmailChange } from "@/lib/auth/account/email-change";
import { database } from "@/lib/db/client";
import { token } from "@/lib/fields";
import type { FormState } from "@/lib/form";
import { requireSameOrigin } from "@/lib/web/request";
import { currentSession } from "@/lib/web/session";
import { readLinkForm } from "../../read-link-form";

const schema = z.object({ token });

const refusals = {
  "dead-link": "This link no longer works. Request another in your profile.",
  taken: "Another account uses this email now. Nothing was changed.",
};

export async function confirmEmail(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const read = await readLinkForm(schema, form);
  if (!read.ok) return read.state;
  const { data, client } = read;
  const session = await currentSession();

  const result = await redeemEmailChange(database(), data.token, { session, client });

  if (!result.ok) return { message: refusals[result.reason] };
  redirect(result.kept ? "/settings/profile?notice=email-changed" : "/login?notice=email-changed");
}
