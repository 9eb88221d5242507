"use server";

import { redirect } from "next/navigation";
import { mergeSessionData } from "@/lib/auth/sessions/data";
import { database } from "@/lib/db/client";
import type { FormState } from "@/lib/form";
import { requireSameOrigin } from "@/lib/web/request";
import { requireSession } from "@/lib/web/session";

export async function hideFirstSteps(_previous: FormState, _form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSession("/dashboard");
  await mergeSessionData(database(), session, { firstStepsHidden: true });
  redirect("/dashboard");
}
