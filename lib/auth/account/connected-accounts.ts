import { sql } from "drizzle-orm";
import { recordEach } from "@/lib/audit";
import {
  findIdentityOwner,
  insertIdentity,
  listIdentities,
} from "@/lib/auth/credentials/identities";
import { hasOtherWay, type WaysHere } from "@/lib/auth/credentials/last-way-in";
import type { Person } from "@/lib/auth/credentials/providers";
import { addMail } from "@/lib/auth/mails/jobs";
import { endedSessionsBegunWith } from "@/lib/auth/revocation";
import { hashToken, newToken } from "@/lib/auth/secrets";
import type { Session } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { identities } from "@/lib/db/schema/identities";
import { sessions } from "@/lib/db/schema/sessions";
import { type ChangeRefused, changeWaysIn } from "./ways-in-change";

/*
 * Connects accounts at providers to a user, and disconnects them. Security: the last way to log in
 * is not disconnected; the sessions that began with a connected account end with it; and both
 * changes are mailed, with a link that takes an attacker's access away. The caller must check sudo.
 * Lock order: users, sessions, links.
 */

export type Connect =
  | { ok: true; token: string }
  /** "taken": another user has it, or this user has another account of that provider. */
  | { ok: false; reason: "taken" | "already" }
  | ChangeRefused;

/** Connects an account. This session gets a new token; nothing ends. */
export function connectIdentity(
  db: Db,
  session: Session,
  presented: string,
  person: Person,
): Promise<Connect> {
  const change = { presented, strongWhere: null };
  return changeWaysIn<Connect>(db, session, change, async (tx) => {
    const id = await insertIdentity(tx, session.userId, person);
    if (!id) {
      const owner = await findIdentityOwner(tx, person);
      return { ok: false, reason: owner?.userId === session.userId ? "already" : "taken" };
    }
    const token = newToken();
    const [recorded] = await tx.execute<{ id: number }>(sql`
      with changed as (
        update ${sessions} set token_hash = ${hashToken(token)} where id = ${session.id}
        returning id as session_id, user_id)
      ${recordEach("changed", "account-connected", session.client, sql`jsonb_build_object('provider', ${person.provider}::text)`)}
      returning id::int`);
    await mail(tx, session, { ...person, change: "connected", event: recorded?.id ?? 0 });
    return { ok: true, token };
  });
}

export type Disconnect =
  | { ok: true /** Whether the acting session began with it, and so has ended. */; ended: boolean }
  | { ok: false; reason: "only-way" | "gone" }
  | ChangeRefused;

/**
 * Disconnects an account. One of a provider that is not configured logs no user in, so it can
 * always be disconnected.
 */
export function disconnectIdentity(
  db: Db,
  session: Session,
  id: string,
  here: WaysHere,
): Promise<Disconnect> {
  const change = { presented: null, strongWhere: null };
  return changeWaysIn<Disconnect>(db, session, change, async (tx) => {
    const connected = await listIdentities(tx, session.userId);
    const identity = connected.find((each) => each.id === id);
    if (!identity) return { ok: false, reason: "gone" };
    const counts = here.issuers.includes(identity.issuer);
    if (counts && !(await hasOtherWay(tx, session.userId, { id }, here)))
      return { ok: false, reason: "only-way" };
    const detail = sql`jsonb_build_object('provider', ${identity.provider}::text)`;
    const [removed] = await tx.execute<{ event: number; ended: boolean }>(sql`
      with changed as (
        delete from ${identities} where ${identities.id} = ${id}
        returning id as way, user_id, ${session.id}::uuid as session_id),
      ${endedSessionsBegunWith},
      recorded as (${recordEach("changed", "account-disconnected", session.client, detail)}
        returning id)
      select (select id::int from recorded) as event,
        exists (select from ended_sessions where id = ${session.id}) as ended from changed`);
    if (!removed) throw new Error("disconnectIdentity: a row went while its user was locked.");
    await mail(tx, session, { ...identity, ...removed, change: "disconnected" });
    return { ok: true, ended: removed.ended };
  });
}

function mail(
  tx: Db,
  session: Session,
  what: {
    change: "connected" | "disconnected";
    provider: Person["provider"];
    label: string;
    event: number;
  },
): Promise<void> {
  const { change, provider, label, event } = what;
  return addMail(tx, "connected-account-changed", {
    ...{ userId: session.userId, to: session.user.email, client: session.client },
    ...{ at: new Date().toISOString(), event, change, provider, label: label.slice(0, 254) },
  });
}
