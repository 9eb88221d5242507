import { after } from "next/server";
import { answer, readJson } from "@/app/api/_answer";
import { Problem } from "@/lib/api/problems";
import { newToken } from "@/lib/api/schemas";
import { recordFailure } from "@/lib/audit";
import { consumeLogIn, resetLogInLimits } from "@/lib/auth/login/limits";
import { parseSealingKeys } from "@/lib/auth/sealing";
import { logInApp } from "@/lib/auth/tokens/log-in";
import { database } from "@/lib/db/client";
import { env } from "@/lib/env";
import { currentClient } from "@/lib/web/request";
import { refuseSecondFactor, tokenResponse } from "./_tokens";

/** Logs an app in, under the rules and limits of the login page. */
export function POST(request: Request): Promise<Response> {
  return answer(request, async () => {
    const { email, password, otp, device_name } = await readJson(request, newToken);

    const client = await currentClient();
    const attempt = { email, ip: client.ip, browser: null };
    const taken = await consumeLogIn(database(), attempt);
    if (!taken.ok && taken.reason === "browser-unconfirmed")
      throw new Problem("browser-confirmation-required", {
        detail: `Let the user ask for a link at ${env().APP_URL}/confirm-browser and open it in any browser. Then log in again.`,
      });
    if (!taken.ok)
      throw new Problem("rate-limited", { headers: { "Retry-After": `${taken.retryAfter}` } });

    const deviceName = device_name ?? null;
    const result = await logInApp(database(), {
      ...{ email, password, otp, deviceName, client },
      keys: parseSealingKeys(env().ENCRYPTION_KEYS),
    });

    if (!result.ok && result.reason === "incorrect")
      after(() => recordFailure(database(), "log-in-failed", { email }, client));
    if (!result.ok) refuseSecondFactor(result);
    if (!result.ok)
      throw new Problem(
        result.reason === "suspended" ? "account-suspended" : "invalid-credentials",
      );
    await resetLogInLimits(database(), attempt);
    return tokenResponse(result.session, result.refresh);
  });
}
