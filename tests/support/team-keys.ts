import type { Connection, Db } from "@/lib/db/client";
import { createTeamKey, type TeamKeyScope, teamKeyScopes } from "@/lib/teams/keys";
import type { MemberScope } from "@/lib/teams/scope";

/** Creates an API key of the scope's team. Default: all scopes, and no expiry. */
export async function createKeyOf(
  db: Db,
  scope: MemberScope,
  given: { name?: string; scopes?: TeamKeyScope[]; lifetime?: number } = {},
): Promise<{ id: string; key: string }> {
  const wanted = { name: "Backup", scopes: [...teamKeyScopes], lifetime: null, ...given };
  const created = await createTeamKey(db, scope, wanted);
  if (!created.ok) throw new Error(`createKeyOf: ${created.reason}.`);
  return created;
}

/** Marks all keys as used now: requests then leave the rows alone, so tests can compare tables. */
export async function markTeamKeysUsed({ sql }: Connection): Promise<void> {
  await sql`update team_keys set last_used_at = now()`;
}
