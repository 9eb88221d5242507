import type { Metadata } from "next";
import { Link } from "@/app/_ui/link";
import { Notice } from "@/app/_ui/notice";
import { EmptyState, PageHeader, Section } from "@/app/_ui/page";
import { type Column, Table } from "@/app/_ui/table";
import { billingIsOn } from "@/lib/billing/entitlements";
import { plans } from "@/lib/billing/plans";
import { database } from "@/lib/db/client";
import { roleLabels } from "@/lib/teams/roles";
import { type ListedTeam, listTeams } from "@/lib/teams/teams";
import { requireSession } from "@/lib/web/session";
import { teamPath } from "@/lib/web/team";
import { InvitationsForYou } from "../invitations-for-you";
import { NewTeam } from "../new-team";

export const metadata: Metadata = { title: "Your teams" };

const notices = {
  left: "You have left the team.",
  deleted: "The team is deleted.",
  gone: { info: "You are no longer a member of that team." },
  declined: "The invitation is declined.",
  "invitation-gone": { info: "That invitation does not work any more. Ask for a new one." },
};

export default async function TeamsPage({ searchParams }: PageProps<"/teams">) {
  const session = await requireSession("/teams");
  const { notice } = await searchParams;
  const teams = await listTeams(database(), session);
  return (
    <div className="grid gap-6">
      <PageHeader title="Your teams" />
      <Notice notice={notice} sentences={notices} />
      <InvitationsForYou userId={session.userId} />
      {teams.length > 0 ? (
        <Table columns={columns()} rows={teams} rowKey={(team) => team.handle} />
      ) : (
        <EmptyState>You are not in a team yet. Create one, or ask to be invited.</EmptyState>
      )}
      <Section title="New team">
        <NewTeam />
      </Section>
    </div>
  );
}

const columns = (): Column<ListedTeam>[] => [
  {
    label: "Team",
    cell: ({ handle, name }) => (
      <Link href={teamPath(handle)} className="link">
        {name}
      </Link>
    ),
  },
  { label: "Your role", width: "w-32", cell: ({ role }) => roleLabels[role] },
  ...(billingIsOn() ? [planColumn] : []),
  { label: "Members", cardLabel: "Members", width: "w-28", cell: ({ members }) => members },
];

const planColumn: Column<ListedTeam> = {
  label: "Plan",
  cardLabel: "Plan",
  width: "w-28",
  cell: ({ plan }) => plans[plan].name,
};
