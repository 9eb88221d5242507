import { parseArgs } from "node:util";
import { count, sql } from "drizzle-orm";
import { nextBrowserEpoch } from "@/lib/auth/revocation";
import { invalidateAllSessions } from "@/lib/auth/sessions/end";
import type { Db } from "@/lib/db/client";
import { apiKeys } from "@/lib/db/schema/api-keys";
import { invitations } from "@/lib/db/schema/invitations";
import { links } from "@/lib/db/schema/links";
import { pendingLogins } from "@/lib/db/schema/pending-logins";
import { pendingSignUps } from "@/lib/db/schema/pending-sign-ups";
import { providerVisits } from "@/lib/db/schema/provider-visits";
import { teamKeys } from "@/lib/db/schema/team-keys";
import { users } from "@/lib/db/schema/users";
import { configuredUrl, location, readEnvFiles, withTables } from "./database";
import { command, green, say, warn } from "./terminal";

/*
 * `npm run db:restored`: run it after a backup was restored, and before the server starts.
 * Security: a backup restores what has ended since, such as a session that its user logged out
 * because its device was stolen, a used refresh token, an opened link, a forgotten browser. No row
 * says which these are, so all of them end. Keys cannot be renewed by their users alone, so they
 * end only with `--revoke-keys`.
 */

const usage = "npm run db:restored -- --log-out-all [--revoke-keys]";

const access = [links, pendingLogins, pendingSignUps, providerVisits, invitations];
const keys = [apiKeys, teamKeys];

command(async () => {
  const flags = read();
  readEnvFiles();
  // Without a URL, the command would open the embedded database, and the restored one
  // would keep its sessions.
  if (!configuredUrl())
    throw new Error("DATABASE_URL is not set. Set it to the restored database.");
  await withTables(async ({ db }, url) => {
    if (!flags["log-out-all"])
      throw new Error(
        `This ends all sessions, links, invitations and remembered browsers in ${location(url)}. If you mean it: \`${usage}\`.`,
      );
    const { sessions, left } = await db.transaction((tx) => end(tx, !!flags["revoke-keys"]));
    say(`${green("✓")} All users are logged out in ${location(url)}: ${sessions} sessions ended.`);
    say(`${green("✓")} All links, invitations and remembered browsers ended.`);
    if (left > 0)
      warn(
        `${left} keys still work, including any that were revoked after the backup. \`${usage}\` revokes them.`,
      );
  });
});

/** Lock order: users, sessions, links. */
async function end(tx: Db, revokeKeys: boolean): Promise<{ sessions: number; left: number }> {
  // Also deletes their refresh tokens, which reference them.
  const sessions = await invalidateAllSessions(tx);
  await tx.execute(sql`update ${users} set ${nextBrowserEpoch}`);
  for (const table of access) await tx.delete(table);
  let left = 0;
  for (const table of keys) {
    if (revokeKeys) await tx.delete(table);
    const [row] = await tx.select({ n: count() }).from(table);
    left += row?.n ?? 0;
  }
  return { sessions, left };
}

function read() {
  try {
    return parseArgs({
      options: { "log-out-all": { type: "boolean" }, "revoke-keys": { type: "boolean" } },
    }).values;
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n\n${usage}`);
  }
}
