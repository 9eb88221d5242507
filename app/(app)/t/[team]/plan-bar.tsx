import { Link } from "@/app/_ui/link";
import { getBilling } from "@/lib/billing/overview";
import { plans, trialPlan } from "@/lib/billing/plans";
import { billingPolicy } from "@/lib/billing/policy";
import { database } from "@/lib/db/client";
import type { FoundTeam } from "@/lib/teams/scope";
import { teamPath } from "@/lib/web/team";
import { stateOf } from "./billing-state";

/**
 * Shows that the team's plan ends soon or that a payment failed, in the words of the billing page.
 * Shown only to members who can act on it, and only if the lookup returned `planAtRisk`, because it
 * costs a query.
 */
export async function PlanBar({ team }: { team: FoundTeam }) {
  const billing = await getBilling(database(), team.id);
  const { sentences, button, urgent, endsAt } = stateOf(team.plan, billing);
  if (!urgent && !(endsAt && isSoon(endsAt))) return null;
  const page = teamPath(team.handle, "/settings/billing");
  return (
    // A layout does not know its page, so the style sheet hides the bar on the billing page.
    <section
      aria-label="Plan"
      className={`flex flex-wrap items-center justify-between gap-x-6 gap-y-1 rounded-md border px-4 py-2.5 text-sm in-[main:has([aria-current=page][href$='/settings/billing'])]:hidden ${urgent ? "border-danger-line bg-danger-soft" : "border-line bg-accent-soft"}`}
    >
      <p className="text-pretty">{sentences.join(" ")}</p>
      <Link href={page} className="link">
        {billing.subscription ? button : `Upgrade to ${plans[trialPlan].name}`}
      </Link>
    </section>
  );
}

const isSoon = (date: Date) => date.getTime() - Date.now() < billingPolicy.remindBefore;
