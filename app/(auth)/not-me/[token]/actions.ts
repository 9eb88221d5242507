"use server";

import { redirect } from "next/navigation";
import { z } from "zod";
import { redeemDisownLink } from "@/lib/auth/account/disowned-login";
import { database } from "@/lib/db/client";
import { token } from "@/lib/fields";
import type { FormState } from "@/lib/form";
import { rememberBrowser } from "@/lib/web/cookies";
import { requireSameOrigin } from "@/lib/web/request";
import { deleteEndedSessionCookie } from "@/lib/web/session";
import { readLinkForm } from "../../read-link-form";

const schema = z.object({ token });

export async function disownLogin(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const read = await readLinkForm(schema, form);
  if (!read.ok) return read.state;

  const result = await redeemDisownLink(database(), read.data.token, read.client);

  if (!result.ok) return { message: "This link no longer works. Choose a new password instead." };
  await deleteEndedSessionCookie();
  await rememberBrowser(result.account);
  redirect(result.mailed ? "/login?notice=disowned" : "/login?notice=disowned-elsewhere");
}
