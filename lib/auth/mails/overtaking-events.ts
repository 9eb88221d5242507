import { and, eq, gt, inArray } from "drizzle-orm";
import { z } from "zod";
import type { AuditKind } from "@/lib/audit";
import type { Db } from "@/lib/db/client";
import { auditEvents } from "@/lib/db/schema/audit-events";

/*
 * Decides which later events prevent a mail's link from being made: the restored email and the
 * suspension. Security: after one of them, `to` may be an attacker's email, and a link sent there
 * would undo what the owner or an administrator has done.
 */

/** Part of the payload of a mail about an audit event: the event's id. */
export const auditEvent = { event: z.number() };

const overtaking: AuditKind[] = ["email-restored", "suspended"];

/** Returns whether one of these events came after the mail's own. Call it with the user locked. */
export async function wasOvertaken(
  tx: Db,
  { userId, event }: { userId: string; event: number },
): Promise<boolean> {
  const rows = await tx
    .select({ id: auditEvents.id })
    .from(auditEvents)
    .where(
      and(
        eq(auditEvents.userId, userId),
        inArray(auditEvents.kind, overtaking),
        gt(auditEvents.id, event),
      ),
    )
    .limit(1);
  return rows.length > 0;
}
