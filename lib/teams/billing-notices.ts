import { sql } from "drizzle-orm";
import type { BillingJobs, BillingNotice } from "@/lib/billing/jobs";
import { type BillingOverview, getBilling } from "@/lib/billing/overview";
import type { Db } from "@/lib/db/client";
import { members } from "@/lib/db/schema/members";
import { teams } from "@/lib/db/schema/teams";
import { users } from "@/lib/db/schema/users";
import { addTeamMail } from "./mails/jobs";

/* Mails a team's owners about its payments, if the notice is still true when its job runs. */

/** Runs the job "billing-notice". */
export async function notifyOwners(
  db: Db,
  { team: id, notice }: BillingJobs["billing-notice"],
): Promise<void> {
  await db.transaction(async (tx) => {
    const billing = await getBilling(tx, id);
    if (!isTrue[notice](billing)) return;
    const owners = await tx.execute<{
      userId: string;
      to: string;
      team: string;
      handle: string;
    }>(sql`
      select ${users.id} as "userId", ${users.email} as "to", ${teams.name} as team, ${teams.handle}
      from ${members} join ${users} on ${users.id} = ${members.userId}
      join ${teams} on ${teams.id} = ${members.teamId}
      where ${members.teamId} = ${id} and ${members.role} = 'owner' and ${users.status} = 'active'`);
    const { subscription, trialEndsAt, compedUntil } = billing;
    const until =
      notice === "plan-given" ? compedUntil : (subscription?.graceEndsAt ?? trialEndsAt);
    for (const owner of owners)
      await addTeamMail(tx, "team-billing", {
        ...owner,
        notice,
        until: until?.toISOString() ?? null,
      });
  });
}

const isPastDue = ({ subscription }: BillingOverview) => subscription?.status === "past_due";

const isTrue: Record<BillingNotice, (billing: BillingOverview) => boolean> = {
  "payment-failed": isPastDue,
  "payment-failed-reminder": isPastDue,
  "plan-ended": ({ subscription }) => subscription === null,
  "plan-given": ({ compedPlan }) => compedPlan !== null,
  "second-subscription": () => true,
  "trial-ending": ({ trialEndsAt, subscription }) => trialEndsAt !== null && !subscription,
};
