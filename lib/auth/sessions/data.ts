import { and, eq, sql } from "drizzle-orm";
import { z } from "zod";
import type { Db } from "@/lib/db/client";
import { sessions } from "@/lib/db/schema/sessions";

/*
 * Owns the type of `sessions.data`: what the product wants to remember per device, up to 4 KB.
 * It is gone when the session ends. Never a secret: the whole object is loaded with every request.
 * Add a key here, then read `session.data.yourKey` and write with `mergeSessionData`.
 */
export const sessionData = z.object({
  /** The dashboard's first-steps card was put away on this device. */
  firstStepsHidden: z.boolean().optional(),
  /** The handle of the team that was open last, where /dashboard leads. Gives no access to it. */
  lastTeam: z.string().optional(),
});

export type SessionData = z.infer<typeof sessionData>;

/**
 * Merges keys into the acting session's `data`; a key set to undefined is left as it is. One
 * statement, so that parallel writers of different keys lose nothing. False when the session has
 * ended meanwhile. Throws when the result would pass 4 KB: that is a mistake of the caller.
 */
export async function mergeSessionData(
  db: Db,
  session: { id: string; userId: string },
  patch: Partial<SessionData>,
): Promise<boolean> {
  const valid = JSON.stringify(sessionData.partial().strict().parse(patch));
  const rows = await db
    .update(sessions)
    .set({ data: sql`${sessions.data} || ${valid}::jsonb` })
    .where(and(eq(sessions.id, session.id), eq(sessions.userId, session.userId)))
    .returning({ id: sessions.id });
  return rows.length === 1;
}
