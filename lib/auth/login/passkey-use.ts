import { sql } from "drizzle-orm";
import { recordEach } from "@/lib/audit";
import {
  type CheckedPasskey,
  type ConsumePasskey,
  consumePasskey,
} from "@/lib/auth/credentials/passkeys";
import { addMail } from "@/lib/auth/mails/jobs";
import { endedSessionsBegunWith } from "@/lib/auth/revocation";
import type { Db } from "@/lib/db/client";
import { passkeys } from "@/lib/db/schema/passkeys";
import type { Client } from "@/lib/http";

/*
 * Uses a passkey, for logins and confirmations. Security: a counter that does not rise means that
 * the passkey was copied, and the copy may have logged in before. So the sessions that began with
 * the passkey end, and its owner gets a mail. Call it with the user locked.
 */

export async function acceptPasskey(
  tx: Db,
  passkey: CheckedPasskey,
  client: Client,
): Promise<ConsumePasskey> {
  const used = await consumePasskey(tx, passkey);
  if (used === "copied") await refuseCopy(tx, passkey, client);
  return used;
}

async function refuseCopy(tx: Db, { id, userId, email }: CheckedPasskey, client: Client) {
  const [refused] = await tx.execute<{ event: number; name: string }>(sql`
    with changed as (
      select user_id, id as way, null::uuid as session_id, name from ${passkeys} where id = ${id}),
    ${endedSessionsBegunWith},
    recorded as (${recordEach("changed", "passkey-refused", client)} returning id)
    select (select id::int from recorded) as event, name from changed`);
  await addMail(tx, "passkey-changed", {
    ...{ userId, to: email, client, at: new Date().toISOString() },
    ...{ change: "refused", name: refused?.name ?? "", event: refused?.event ?? 0 },
  });
}
