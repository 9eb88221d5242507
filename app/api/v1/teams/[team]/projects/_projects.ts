import type { z } from "zod";
import { Problem } from "@/lib/api/problems";
import type { project } from "@/lib/api/schemas";
import { database } from "@/lib/db/client";
import type { Project } from "@/lib/projects/projects";
import { consume } from "@/lib/rate-limits";
import type { TeamScope } from "@/lib/teams/scope";

/* Shared by the routes of projects and notes. */

/** Counts a write of the team's key or of the user. Throws "rate-limited" with a Retry-After. */
export async function consumeWrite({ actor }: TeamScope): Promise<void> {
  const taken = actor.keyId
    ? await consume(database(), "writePerKey", actor.keyId)
    : await consume(database(), "writePerUser", actor.userId);
  if (!taken.ok)
    throw new Problem("rate-limited", { headers: { "Retry-After": `${taken.retryAfter}` } });
}

export function projectJson(row: Project): z.infer<typeof project> {
  const { id, name, archived, createdAt } = row;
  return { id, name, archived, created_at: createdAt.toISOString() };
}

/**
 * Splits a list that was queried with one row more than the page holds: returns the page, and the
 * cursor of the next page.
 */
export function pageOf<Row extends { cursor: string }>(
  rows: Row[],
  limit: number,
): { rows: Row[]; next: string | null } {
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return { rows: rows.slice(0, limit), next: last?.cursor ?? null };
}
