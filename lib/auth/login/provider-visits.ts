import { createHmac } from "node:crypto";
import { sql } from "drizzle-orm";
import { providerPolicy } from "@/lib/auth/policy";
import { hashToken, isToken, newToken } from "@/lib/auth/secrets";
import type { Db } from "@/lib/db/client";
import { providerVisits } from "@/lib/db/schema/provider-visits";
import { interval } from "@/lib/db/sql";
import type { ProviderId } from "@/lib/provider-ids";

/*
 * Stores visits to a provider, from the button here to the return. Security: a visit can return
 * once, to the browser that began it, and only from the provider and for the purpose and session it
 * was begun with. The PKCE verifier and the nonce are derived from the state with AUTH_SECRET, so a
 * copy of the database cannot finish a login. Each tab has one row; all tabs share one cookie.
 */

export type VisitPurpose = "log-in" | "connect" | "confirm";

export type NewVisit = {
  provider: ProviderId;
  purpose: VisitPurpose;
  /** The acting session. Null for a login. */
  sessionId: string | null;
  /** Where to redirect afterwards: a path of this site. */
  next: string | null;
  persistent: boolean;
};

export type ProviderVisit = NewVisit & { createdAt: Date };

/** Inserts a visit; returns its `state` parameter. `browser`: the token in the browser's cookie. */
export async function createVisit(db: Db, browser: string, visit: NewVisit): Promise<string> {
  const state = newToken();
  await db.execute(sql`
    insert into ${providerVisits}
      (state_hash, browser_hash, provider, purpose, session_id, next, persistent, expires_at)
    values (${hashToken(state)}, ${hashToken(browser)}, ${visit.provider}, ${visit.purpose},
      ${visit.sessionId}, ${visit.next}, ${visit.persistent}, now() + ${interval(providerPolicy.visit)})`);
  return state;
}

/** Deletes the visit and returns it, or null if this browser has begun none with this state. */
export async function consumeVisit(
  db: Db,
  presented: { state: unknown; browser: string | null; provider: ProviderId },
): Promise<ProviderVisit | null> {
  const { state, browser, provider } = presented;
  if (!isToken(state) || !isToken(browser)) return null;
  const [row] = await db.execute<{
    purpose: VisitPurpose;
    session_id: string | null;
    next: string | null;
    persistent: boolean;
    created_at: string;
  }>(sql`
    delete from ${providerVisits}
    where state_hash = ${hashToken(state)} and browser_hash = ${hashToken(browser)}
      and provider = ${provider} and expires_at > now()
    returning purpose, session_id, next, persistent, created_at`);
  if (!row) return null;
  const { purpose, session_id: sessionId, next, persistent } = row;
  return { provider, purpose, sessionId, next, persistent, createdAt: new Date(row.created_at) };
}

/** Derives the PKCE verifier and the nonce from a state. */
export function visitSecrets(state: string, secret: string): { verifier: string; nonce: string } {
  const derive = (use: string) =>
    createHmac("sha256", secret).update(`${use}\0${state}`).digest("base64url");
  return { verifier: derive("pkce"), nonce: derive("nonce") };
}

/** Housekeeping: expired rows are invalid already. */
export async function deleteExpiredVisits(db: Db): Promise<void> {
  await db.delete(providerVisits).where(sql`${providerVisits.expiresAt} < now()`);
}
