/** Whether a unique index refused the write. Drizzle wraps the driver's error, which has the code. */
export function isUniqueViolation(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause ?? error) : undefined;
  return typeof cause === "object" && cause !== null && "code" in cause && cause.code === "23505";
}
