"use server";

import { cookies } from "next/headers";
import { parseTheme, themeCookie, themeMaxAge } from "@/app/_ui/theme";
import { env } from "@/lib/env";
import { formOf } from "@/lib/form";
import { requireSameOrigin } from "@/lib/web/request";

/** The toggle without JavaScript. Needs no session: the choice belongs to the browser. */
export async function setTheme(form: FormData): Promise<void> {
  await requireSameOrigin();
  const secure = env().APP_URL.startsWith("https:");
  (await cookies()).set(themeCookie(secure), parseTheme(formOf(form).get("theme")), {
    path: "/",
    maxAge: themeMaxAge,
    sameSite: "lax",
    secure,
  });
}
