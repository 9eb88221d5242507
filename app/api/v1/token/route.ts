import { answer, readJson } from "@/app/api/_answer";
import { Problem } from "@/lib/api/problems";
import { newToken } from "@/lib/api/schemas";
import { logInApp } from "@/lib/auth/app-login";
import { currentClient } from "@/lib/auth/current";
import { forgiveLogIn, takeLogIn } from "@/lib/auth/login-limits";
import { database } from "@/lib/db/client";
import { tokenResponse } from "./_tokens";

/** Logs an app in: by the rules and limits of the login page. */
export function POST(request: Request): Promise<Response> {
  return answer(request, async () => {
    const { email, password, device_name } = await readJson(request, newToken);

    const client = await currentClient();
    const attempt = { email, ip: client.ip, device: null };
    const taken = await takeLogIn(database(), attempt);
    if (!taken.ok)
      throw new Problem("rate-limited", { headers: { "Retry-After": `${taken.retryAfter}` } });

    const deviceName = device_name ?? null;
    const result = await logInApp(database(), { email, password, deviceName, client });

    if (!result.ok)
      throw new Problem(
        result.reason === "suspended" ? "account-suspended" : "invalid-credentials",
      );
    await forgiveLogIn(database(), attempt);
    return tokenResponse(result.session, result.refresh);
  });
}
