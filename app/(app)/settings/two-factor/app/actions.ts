"use server";

import { redirect } from "next/navigation";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { confirmTwoFactor } from "@/lib/auth/account/two-factor-change";
import { parseSealingKeys } from "@/lib/auth/sealing";
import { database } from "@/lib/db/client";
import { env } from "@/lib/env";
import { code } from "@/lib/fields";
import { type FormState, readForm } from "@/lib/form";
import { consume } from "@/lib/rate-limits";
import { presentedToken, setSessionCookie } from "@/lib/web/cookies";
import { requireSameOrigin } from "@/lib/web/request";
import { requireSudo } from "@/lib/web/sudo";
import { waysHere } from "@/lib/web/ways-here";

const schema = z.object({ code });

/** Returns the recovery codes, which are shown only this once. */
export async function turnOnTwoFactor(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSudo("/settings/two-factor/app", { form: "app-code", values: {} });
  const presented = await presentedToken();
  const read = readForm(schema, form);
  if (!read.ok) return read.state;
  const taken = await consume(database(), "confirmPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const on = await confirmTwoFactor(database(), session, {
    ...{ presented: presented ?? "", code: read.data.code },
    keys: parseSealingKeys(env().ENCRYPTION_KEYS),
    here: waysHere(),
  });
  if (on.ok) {
    await setSessionCookie(on.token, session.persistent);
    return { reveal: on.recoveryCodes.join("\n") };
  }
  if (on.reason === "incorrect")
    return {
      errors: {
        code: "That code is wrong. Check that your phone's clock is right, and enter the newest code.",
      },
    };
  redirect(
    on.reason === "none"
      ? "/settings/two-factor"
      : "/confirm?next=%2Fsettings%2Ftwo-factor&strong=1",
  );
}
