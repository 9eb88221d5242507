import type { Db } from "./client";

/** Whether a unique index refused the write. Drizzle wraps the driver's error, which has the code. */
export function isUniqueViolation(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause ?? error) : undefined;
  return typeof cause === "object" && cause !== null && "code" in cause && cause.code === "23505";
}

/** Does the work in a transaction, and lets the unique indexes decide which of two is first. */
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
