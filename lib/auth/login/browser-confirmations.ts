import { sql } from "drizzle-orm";
import { recordEach } from "@/lib/audit";
import { lockLinkUser, usedLink } from "@/lib/auth/links";
import type { Db } from "@/lib/db/client";
import { users } from "@/lib/db/schema/users";
import type { Client } from "@/lib/http";
import { resetLogInAttempts } from "./attempts";
import type { BrowserAccount } from "./known-browsers";

/*
 * Redeems the mailed link that a browser needs after too many failed logins to an account.
 * Security: the link creates no session. It shows that the caller reads the account's mail, and
 * such a caller could reset the password as well. The password is still needed to log in.
 */

export type RedeemBrowserLink =
  | { ok: true; account: BrowserAccount }
  | { ok: false; reason: "dead-link" };

/** Redeems a link. It works once, and only while the account has the email it was sent to. */
export async function redeemBrowserLink(
  db: Db,
  token: string,
  client: Client,
): Promise<RedeemBrowserLink> {
  return db.transaction(async (tx) => {
    const user = await lockLinkUser(tx, token);
    if (!user) return { ok: false, reason: "dead-link" };
    const [confirmed] = await tx.execute<{ user_id: string; device_epoch: number }>(sql`
      with ${usedLink(token, "confirm-browser")},
      confirmed as (
        select ${users.id} as user_id, null::uuid as session_id, device_epoch from ${users}
        join link on link.user_id = ${users.id} and link.sent_to = ${users.email}),
      recorded as (${recordEach("confirmed", "browser-confirmed", client)})
      select user_id, device_epoch from confirmed`);
    if (!confirmed) return { ok: false, reason: "dead-link" };
    await resetLogInAttempts(tx, user.email);
    const account = { userId: confirmed.user_id, browserEpoch: confirmed.device_epoch };
    return { ok: true, account };
  });
}
