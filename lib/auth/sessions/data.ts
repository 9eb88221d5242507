import { z } from "zod";

/*
 * Owns the type of `sessions.data`: what the product wants to remember per device, up to 4 KB.
 * It is gone when the session ends. Never a secret: the whole object is loaded with every request.
 * Add a key here, then read `session.data.yourKey` and write with `mergeSessionData`.
 */
export const sessionData = z.object({
  /** The dashboard's first-steps card was put away on this device. */
  firstStepsHidden: z.boolean().optional(),
});

export type SessionData = z.infer<typeof sessionData>;
