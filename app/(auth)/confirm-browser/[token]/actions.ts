"use server";

import { redirect } from "next/navigation";
import { z } from "zod";
import { redeemBrowserLink } from "@/lib/auth/login/browser-confirmations";
import { database } from "@/lib/db/client";
import { token } from "@/lib/fields";
import type { FormState } from "@/lib/form";
import { rememberBrowser } from "@/lib/web/cookies";
import { requireSameOrigin } from "@/lib/web/request";
import { readLinkForm } from "../../read-link-form";

const schema = z.object({ token });

export async function confirmBrowser(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const read = await readLinkForm(schema, form);
  if (!read.ok) return read.state;

  const result = await redeemBrowserLink(database(), read.data.token, read.client);

  if (!result.ok) return { message: "This link no longer works. Request a new one." };
  await rememberBrowser(result.account);
  redirect("/login?notice=browser-confirmed");
}
