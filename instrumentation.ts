import { onServer } from "@/lib/env";

/** Runs once when the server starts, before the first request. */
export async function register(): Promise<void> {
  // Imported lazily, because Next also evaluates this file where there is no Node.
  if (onServer()) (await import("./lib/boot")).boot();
}
