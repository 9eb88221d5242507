import { sql } from "drizzle-orm";
import { type Client, recordEach } from "@/lib/audit";
import type { Db } from "@/lib/db/client";
import { sessions, users } from "@/lib/db/schema";
import { addJob } from "@/lib/jobs";
import { endedLinks, lockLinkUser, usedLink } from "./links";

/*
 * Owns the alarm button in the mail about a new device. The security fact: it works without logging
 * in, because whoever needs it may be locked out already, and it can only take access away.
 */

/**
 * Ends every session of the user, and the open links that whoever it was may have asked for; mails a
 * link to choose a new password, unless the account has another address by now: that mailbox may be
 * the stranger's, and the owner has a link to take the address back. At most once per link.
 */
export async function redeemNotMe(
  db: Db,
  token: string,
  client: Client,
): Promise<{ ok: true } | { ok: false; reason: "dead-link" }> {
  return db.transaction(async (tx) => {
    if (!(await lockLinkUser(tx, token))) return { ok: false, reason: "dead-link" };
    const [changed] = await tx.execute<{ email: string; sent_to: string }>(sql`
      with ${usedLink(token, "not-me")},
      changed as (
        update ${users} set auth_version = auth_version + 1 from link
        where ${users.id} = link.user_id and ${users.status} = 'active'
        returning ${users.id} as user_id, null::uuid as session_id, ${users.email} as email, link.sent_to),
      ended as (delete from ${sessions} using changed where ${sessions.userId} = changed.user_id),
      ${endedLinks},
      recorded as (${recordEach("changed", "login-disowned", client)})
      select email, sent_to from changed`);
    if (!changed) return { ok: false, reason: "dead-link" };
    if (changed.email === changed.sent_to)
      await addJob(tx, "mail", { mail: "password-reset", to: changed.email });
    return { ok: true };
  });
}
