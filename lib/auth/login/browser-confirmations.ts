import { sql } from "drizzle-orm";
import { recordEach } from "@/lib/audit";
import { lockLinkUser, usedLink } from "@/lib/auth/links";
import type { Db } from "@/lib/db/client";
import { users } from "@/lib/db/schema/users";
import type { Client } from "@/lib/http";
import { resetLogInAttempts } from "./attempts";
import type { BrowserAccount } from "./known-browsers";

/*
 * Owns the mailed link that a browser needs after too many failed logins at its account. The security
 * fact: it gives no session. It shows that the caller reads the account's mail, who could reset the
 * password as well; the password is still needed to log in.
 */

export type RedeemBrowserLink =
  | { ok: true; account: BrowserAccount }
  | { ok: false; reason: "dead-link" };

/** At most once per link, and while the email that it was sent to is the account's. */
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
