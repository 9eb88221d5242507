"use server";

import { cookies } from "next/headers";
import { parseTheme } from "@/app/_ui/theme";
import { requireSameOrigin } from "@/lib/auth/current";
import { env } from "@/lib/env";
import { days } from "@/lib/time";

/** The toggle without JavaScript. Needs no session: the choice belongs to the browser. */
export async function setTheme(form: FormData): Promise<void> {
  await requireSameOrigin();
  (await cookies()).set("theme", parseTheme(form.get("theme")), {
    path: "/",
    maxAge: days(365) / 1000,
    sameSite: "lax",
    secure: env().APP_URL.startsWith("https:"),
  });
}
