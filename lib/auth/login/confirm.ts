import { verifyPassword } from "@/lib/auth/credentials/passwords";
import type { Session } from "@/lib/auth/sessions/lookup";
import { rotateSession } from "@/lib/auth/sessions/rotate";
import type { Db } from "@/lib/db/client";

/*
 * Owns proving once more who one is (sudo). The security fact: the proof gives the session a new
 * token, so one that was stolen before is worth nothing after. What the proof is good for, and how
 * long, the database judges at every lookup: see `sudo` in lib/auth/sessions/live.ts and sudoPolicy.
 */

export type ConfirmSession =
  | { ok: true; token: string }
  | { ok: false; reason: "incorrect" | "overtaken" };

/**
 * By the password; a second factor or a passkey will stand beside it. `presented` is the acting
 * session's token, in whose place the returned one goes. "overtaken": another request has rotated
 * or ended the session first, and its answer carries what counts now.
 */
export async function confirmSession(
  db: Db,
  session: Session,
  proof: { presented: string; password: string },
): Promise<ConfirmSession> {
  const verified = await verifyPassword(db, session.user.email, proof.password);
  if (verified?.userId !== session.userId) return { ok: false, reason: "incorrect" };
  const rotated = await rotateSession(db, proof.presented, ["pwd"], session.client);
  return rotated ? { ok: true, token: rotated.token } : { ok: false, reason: "overtaken" };
}
