import { and, eq, sql } from "drizzle-orm";
import { z } from "zod";
import type { Db } from "@/lib/db/client";
import { sessions } from "@/lib/db/schema/sessions";

/*
 * Defines the type of `sessions.data`: up to 4 KB that the product stores per device. The data is
 * deleted when the session ends. Never store a secret in it: the whole object is loaded with every
 * request. To add a key, declare it here, then read `session.data.yourKey` and write it with
 * `mergeSessionData`.
 */
export const sessionData = z.object({
  /** Whether the user dismissed the dashboard's first-steps card on this device. */
  firstStepsHidden: z.boolean().optional(),
  /** The handle of the last opened team, to which /dashboard redirects. Grants no access to it. */
  lastTeam: z.string().optional(),
});

export type SessionData = z.infer<typeof sessionData>;

/**
 * Merges keys into the acting session's `data`; a key set to undefined stays as it is. Uses one
 * statement, so that parallel writers of different keys lose nothing. Returns false if the session
 * has ended meanwhile. Throws if the result would exceed 4 KB, which is a mistake of the caller.
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
