import type { Session } from "@/lib/auth/sessions/lookup";
import { createApiKey, type Scope, scopes } from "@/lib/auth/tokens/api-keys";
import type { Connection, Db } from "@/lib/db/client";

/** Creates an API key of the session's user. Default: all scopes, and no expiry. */
export async function createKey(
  db: Db,
  session: Session,
  given: { name?: string; scopes?: Scope[]; lifetime?: number } = {},
): Promise<{ id: string; key: string }> {
  const wanted = { name: "Backup", scopes: [...scopes], lifetime: null, ...given };
  const created = await createApiKey(db, session, wanted);
  if (!created.ok) throw new Error(`createKey: ${created.reason}.`);
  return created;
}

/** Marks the key as used now: requests then leave its row alone, so tests can compare tables. */
export async function markUsed({ sql }: Connection, { id }: { id: string }): Promise<void> {
  await sql`update api_keys set last_used_at = now() where id = ${id}`;
}
