import { and, desc, eq } from "drizzle-orm";
import { sessionPolicy } from "@/lib/auth/policy";
import type { Db } from "@/lib/db/client";
import { identities } from "@/lib/db/schema/identities";
import { passkeys } from "@/lib/db/schema/passkeys";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";
import { live } from "./live";

/** A session as its owner sees it in the device list. */
export type Device = {
  id: string;
  kind: "web" | "app";
  amr: string[];
  /** The name of the passkey that the session began with. */
  passkey: string | null;
  /** The label of the connected account that the session began with, while it is connected. */
  account: string | null;
  persistent: boolean;
  createdAt: Date;
  authenticatedAt: Date;
  lastSeenAt: Date;
  ip: string | null;
  userAgent: string | null;
  /** The device name that an app sent. */
  deviceName: string | null;
};

/**
 * Returns a user's live sessions, at most `limit`, most recently active first. The caller is
 * responsible for authorization: it is the user's own session, or an administrator's.
 */
export async function listSessions(
  db: Db,
  { userId }: { userId: string },
  limit: number = sessionPolicy.sessionsPerUser,
): Promise<Device[]> {
  return db
    .select({
      id: sessions.id,
      kind: sessions.kind,
      amr: sessions.amr,
      passkey: passkeys.name,
      account: identities.label,
      persistent: sessions.persistent,
      createdAt: sessions.createdAt,
      authenticatedAt: sessions.authenticatedAt,
      lastSeenAt: sessions.lastSeenAt,
      ip: sessions.ip,
      userAgent: sessions.userAgent,
      deviceName: sessions.deviceName,
    })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .leftJoin(passkeys, eq(passkeys.id, sessions.begunWith))
    .leftJoin(identities, eq(identities.id, sessions.begunWith))
    .where(and(eq(sessions.userId, userId), live))
    .orderBy(desc(sessions.lastSeenAt), desc(sessions.createdAt), sessions.id)
    .limit(limit)
    .prepare("list_sessions") // one round trip instead of two
    .execute();
}
