import type { Db } from "./client";

/** Returns whether a unique index refused the write, by the code of the error that Drizzle wraps. */
export function isUniqueViolation(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause ?? error) : undefined;
  return typeof cause === "object" && cause !== null && "code" in cause && cause.code === "23505";
}

/**
 * Runs `work` in a transaction. Unique indexes decide which of two concurrent writes is first; the
 * other gets "taken".
 */
export async function unlessTaken<T>(
  db: Db,
  work: (tx: Db) => Promise<T>,
): Promise<T | { ok: false; reason: "taken" }> {
  try {
    return await db.transaction(work);
  } catch (error) {
    if (isUniqueViolation(error)) return { ok: false, reason: "taken" };
    throw error;
  }
}
