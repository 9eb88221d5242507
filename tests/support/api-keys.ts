import type { Session } from "@/lib/auth/sessions/lookup";
import { createApiKey, type Scope, scopes } from "@/lib/auth/tokens/api-keys";
import type { Connection, Db } from "@/lib/db/client";

/** A key of the session's user; if not said otherwise, one that may do everything, for ever. */
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

/** Notes a use of the key now, so that further requests do not: then a test can compare whole tables. */
export async function markUsed({ sql }: Connection, { id }: { id: string }): Promise<void> {
  await sql`update api_keys set last_used_at = now() where id = ${id}`;
}
