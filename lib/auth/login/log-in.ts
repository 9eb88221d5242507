import { verifyPassword } from "@/lib/auth/credentials/passwords";
import { addMail } from "@/lib/auth/mails/jobs";
import { createSession } from "@/lib/auth/sessions/create";
import type { Db } from "@/lib/db/client";
import type { Client } from "@/lib/http";
import type { DeviceAccount } from "./known-devices";

/*
 * Owns the login: proof, then session. The security fact: the version read together with the
 * password hash must still stand when the session is inserted, so a login that overlaps with "log
 * out everywhere" or a password change logs nobody in. A second factor will stand between the two.
 */

export type LogIn =
  | { ok: true; token: string; account: DeviceAccount }
  | { ok: false; reason: "incorrect" | "suspended" };

/** The reason "suspended" is given to those alone who know the password. */
export async function logIn(
  db: Db,
  attempt: {
    email: string;
    password: string;
    persistent: boolean;
    presented: string | null;
    /** This browser has logged in to this account before: its owner need not be told. */
    knownDevice: boolean;
    client: Client;
  },
): Promise<LogIn> {
  const proof = await verifyPassword(db, attempt.email, attempt.password);
  if (!proof) return { ok: false, reason: "incorrect" };
  if (proof.suspended) return { ok: false, reason: "suspended" };
  return db.transaction(async (tx) => {
    const session = await createSession(tx, { ...attempt, ...proof, amr: ["pwd"] });
    if (!session) return { ok: false, reason: "incorrect" };
    if (!attempt.knownDevice)
      await addMail(tx, "new-device", {
        userId: proof.userId,
        to: attempt.email,
        client: attempt.client,
        at: new Date().toISOString(),
        event: session.event,
      });
    const { userId, deviceEpoch } = proof;
    return { ok: true, token: session.token, account: { userId, deviceEpoch } };
  });
}
