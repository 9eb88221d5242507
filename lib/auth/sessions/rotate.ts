import { sql } from "drizzle-orm";
import { recordEach, unknownClient } from "@/lib/audit";
import { hashToken, newToken } from "@/lib/auth/secrets";
import type { Db } from "@/lib/db/client";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";
import type { Client } from "@/lib/http";
import { live, proved } from "./live";

/**
 * Replaces the token of a live session, at every increase in privilege. The `id` stays, so the
 * device stays the same device. Guarded by the old hash: of parallel callers, one gets the new
 * token and the others get null. Counts as a fresh proof of identity, in the ways of `amr`.
 */
export async function rotateSession(
  db: Db,
  token: string,
  amr: string[],
  client: Client = unknownClient,
): Promise<{ id: string; token: string } | null> {
  const next = newToken();
  const [row] = await db.execute<{ id: string }>(sql`
    with rotated as (
      update ${sessions} set token_hash = ${hashToken(next)}, ${proved(amr)}
      from ${users}
      where ${sessions.tokenHash} = ${hashToken(token)} and ${users.id} = ${sessions.userId} and ${live}
      returning ${sessions.id} as session_id, ${sessions.userId} as user_id),
    recorded as (${recordEach("rotated", "session-rotated", client)})
    select session_id as id from rotated`);
  return row ? { id: row.id, token: next } : null;
}
