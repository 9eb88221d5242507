"use server";

import { revalidatePath } from "next/cache";
import { redirect } from "next/navigation";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import * as auth from "@/lib/auth/account/two-factor-change";
import { parseSealingKeys } from "@/lib/auth/sealing";
import { database } from "@/lib/db/client";
import { env } from "@/lib/env";
import type { FormState } from "@/lib/form";
import { consume } from "@/lib/rate-limits";
import { presentedToken, setSessionCookie } from "@/lib/web/cookies";
import { requireSameOrigin } from "@/lib/web/request";
import { requireSudo } from "@/lib/web/sudo";
import { waysHere } from "@/lib/web/ways-here";

const again = "/confirm?next=%2Fsettings%2Ftwo-factor%3Fnotice%3Dconfirmed&strong=1";

export async function setUpTwoFactor(_previous: FormState, _form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSudo("/settings/two-factor?notice=confirmed", {
    ...{ form: "two-factor", values: {} },
  });
  const taken = await consume(database(), "twoFactorPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const keys = parseSealingKeys(env().ENCRYPTION_KEYS);
  const started = await auth.startTwoFactor(database(), session, keys, waysHere());
  if (!started.ok) redirect(again);
  redirect("/settings/two-factor/app");
}

export async function turnOffTwoFactor(_previous: FormState, _form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSudo("/settings/two-factor?notice=confirmed", {
    ...{ form: "two-factor", values: {} },
  });
  const presented = await presentedToken();
  const taken = await consume(database(), "twoFactorPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const off = await auth.turnOffTwoFactor(database(), session, presented ?? "", waysHere());
  if (off.ok) {
    await setSessionCookie(off.token, session.persistent);
    redirect("/settings/two-factor?notice=off");
  }
  if (off.reason === "demanded")
    return {
      message:
        "Administrators need a passkey or two-factor. Add a passkey first, or use another app.",
    };
  redirect(off.reason === "none" ? "/settings/two-factor" : again);
}

export async function renewRecoveryCodes(
  _previous: FormState,
  _form: FormData,
): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSudo("/settings/two-factor?notice=confirmed", {
    ...{ form: "two-factor", values: {} },
  });
  const taken = await consume(database(), "twoFactorPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const renewed = await auth.renewRecoveryCodes(database(), session, waysHere());
  if (!renewed.ok) redirect(renewed.reason === "none" ? "/settings/two-factor" : again);
  revalidatePath("/settings/two-factor");
  return { reveal: renewed.recoveryCodes.join("\n") };
}
