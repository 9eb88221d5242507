import { createApiKey, type Scope, scopes } from "@/lib/auth/api-keys";
import type { Session } from "@/lib/auth/sessions";
import type { Db } from "@/lib/db/client";

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
