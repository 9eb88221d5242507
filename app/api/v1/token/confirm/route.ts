import { after } from "next/server";
import { answer, noContent, readJson } from "@/app/api/_answer";
import { Problem } from "@/lib/api/problems";
import { confirmation } from "@/lib/api/schemas";
import { recordFailure } from "@/lib/audit";
import { parseSealingKeys } from "@/lib/auth/sealing";
import { confirmApp } from "@/lib/auth/tokens/log-in";
import { database } from "@/lib/db/client";
import { env } from "@/lib/env";
import { consume } from "@/lib/rate-limits";
import { requireBearer } from "@/lib/web/bearer";
import { currentClient } from "@/lib/web/request";
import { refuseSecondFactor } from "../_tokens";

/** The confirm page for apps. A key is refused: no user is present who could prove anything. */
export function POST(request: Request): Promise<Response> {
  return answer(request, async () => {
    const { user, session } = await requireBearer(request);
    if (!session) throw new Problem("session-required");
    const { password, otp } = await readJson(request, confirmation);

    const taken = await consume(database(), "confirmPerUser", user.id);
    if (!taken.ok)
      throw new Problem("rate-limited", { headers: { "Retry-After": `${taken.retryAfter}` } });

    const app = { sessionId: session.id, user };
    const client = await currentClient();
    const keys = parseSealingKeys(env().ENCRYPTION_KEYS);
    const proof = { password, otp, keys, client };
    const result = await confirmApp(database(), app, proof);
    if (result.ok) return noContent();
    if (result.reason === "session-ended") throw new Problem("invalid-token");
    refuseSecondFactor(result);
    const who = { userId: user.id, sessionId: session.id };
    after(() => recordFailure(database(), "confirmation-failed", who, client));
    throw new Problem("invalid-credentials", { detail: "The password is incorrect." });
  });
}
