import type { Metadata } from "next";
import { EventRow } from "@/app/_ui/event";
import { EmptyState, PageHeader } from "@/app/_ui/page";
import { Pager } from "@/app/_ui/pager";
import { kindsOfNoUser, type TeamEventKind } from "@/lib/audit";
import { database } from "@/lib/db/client";
import { type EventUser, listTeamEvents, type TeamEvent } from "@/lib/teams/events";
import { roleLabels } from "@/lib/teams/roles";
import { requireTeam, teamPath } from "@/lib/web/team";

export const metadata: Metadata = { title: "Team activity" };

const eventLabels: Record<TeamEventKind, string> = {
  "team-created": "Team created",
  "team-renamed": "Team renamed",
  "team-strong-required": "Two-factor or a passkey required",
  "team-strong-optional": "Two-factor or a passkey no longer required",
  "team-data-exported": "Team data downloaded",
  "team-deleted": "Team deleted",
  "team-invited": "Invitation sent",
  "team-invitation-sent-again": "Invitation sent again",
  "team-invitation-revoked": "Invitation revoked",
  "team-invitation-declined": "Invitation declined",
  "team-joined": "Member joined",
  "team-left": "Member left",
  "team-member-removed": "Member removed",
  "team-role-changed": "Role changed",
  "team-owner-made": "Member made an owner",
  "team-key-created": "API key created",
  "team-key-revoked": "API key revoked",
  "team-billing-opened": "Payment pages opened",
  "team-plan-given": "Plan given",
  "team-plan-taken-back": "Given plan taken back",
  "team-subscribed": "Subscription started",
  "team-billing-changed": "Subscription changed",
  "team-payment-failed": "Payment failed",
  "team-second-subscription": "A second subscription was ended",
  "team-plan-ended": "Subscription ended",
};

const actorLabels = { administrator: "an administrator", deleted: "a deleted account" };

const perPage = 25;

export default async function TeamActivityPage({
  params,
  searchParams,
}: PageProps<"/t/[team]/settings/activity">) {
  const scope = await requireTeam((await params).team, "/settings/activity", "see-activity");
  const before = Number((await searchParams).before);
  const isPosition = Number.isSafeInteger(before) && before > 0;
  const events = await listTeamEvents(database(), scope, {
    ...(isPosition && { before }),
    limit: perPage + 1,
  });
  const shown = events.slice(0, perPage);
  const older = events.length > perPage ? shown.at(-1)?.id : undefined;
  const path = "/settings/activity";
  return (
    <>
      <PageHeader title="Activity">
        What happened in the team in the last year, newest first.
      </PageHeader>
      {shown.length === 0 ? (
        <EmptyState>No activity.</EmptyState>
      ) : (
        <ol className="card divide-y divide-line">
          {shown.map((event) => (
            <Row key={event.id} event={event} />
          ))}
        </ol>
      )}
      <Pager
        newest={isPosition ? teamPath(scope.handle, path) : undefined}
        older={older ? teamPath(scope.handle, `${path}?before=${older}`) : undefined}
      />
    </>
  );
}

function Row({ event: { kind, at, user, actor, about } }: { event: TeamEvent }) {
  const role = Object.entries(roleLabels).find(([each]) => each === about.role)?.[1];
  return (
    <EventRow what={eventLabels[kind] ?? kind} at={at} userAgent={null} ip={null}>
      <p className="wrap-anywhere">
        {!kindsOfNoUser.has(kind) && <User user={user} />}
        {actor && (
          <>
            {" "}
            <span className="text-muted">by</span>{" "}
            {typeof actor === "string" ? actorLabels[actor] : <User user={actor} />}
          </>
        )}
      </p>
      {role && <p>Role: {role}</p>}
      {about.prefix && (
        <p>
          Key <code className="font-mono text-muted">{about.prefix}…</code>
        </p>
      )}
    </EventRow>
  );
}

function User({ user }: { user: EventUser | null }) {
  if (!user) return "A deleted account";
  const { name, email } = user;
  return (
    <>
      {name} <span className="text-muted">({email ?? "no longer a member"})</span>
    </>
  );
}
