import type { Metadata, Route } from "next";
import { EventRow } from "@/app/_ui/event";
import { Link } from "@/app/_ui/link";
import { EmptyState, PageHeader } from "@/app/_ui/page";
import { Pager } from "@/app/_ui/pager";
import { type AuditKind, listEvents } from "@/lib/audit";
import { database } from "@/lib/db/client";
import { requireSession } from "@/lib/web/session";

export const metadata: Metadata = { title: "Activity" };

const eventLabels: Record<AuditKind, string> = {
  "signed-up": "You created your account",
  "logged-in": "Logged in",
  "log-in-failed": "A wrong password was entered to log in",
  "browser-confirmed": "A browser was confirmed by email",
  "logged-out": "Logged out",
  "session-ended": "A device was logged out",
  "other-sessions-ended": "Another device was logged out",
  "all-sessions-ended": "Every device was logged out",
  "session-rotated": "You confirmed that it is you",
  "session-replaced": "A session was replaced by a new login in the same browser",
  "session-confirmed": "You confirmed that it is you in an app",
  "confirmation-failed": "A wrong password was entered while you were logged in",
  "name-changed": "Your name was changed",
  "data-exported": "Your data was downloaded",
  "password-changed": "Your password was changed",
  "password-reset": "Your password was reset by email",
  "email-change-requested": "A change of your email was requested",
  "email-changed": "Your email was changed",
  "email-restored": "Your previous email was restored",
  "login-disowned": "You reported a login that was not yours",
  "role-changed": "Your role was changed",
  suspended: "Your account was suspended",
  reinstated: "Your account was reinstated",
  "reset-sent": "A password reset link was sent to you",
  "refresh-token-reused": "An app was logged out: one of its old tokens was used again",
  "api-key-created": "An API key was created",
  "api-key-revoked": "An API key was revoked",
  "second-factor-failed": "A wrong code was entered after your password",
  "password-retired": "Your password was disabled after many wrong codes",
  "two-factor-on": "Two-factor was turned on",
  "two-factor-moved": "Two-factor was moved to another app",
  "two-factor-off": "Two-factor was turned off",
  "recovery-codes-renewed": "New recovery codes were made",
  "recovery-code-used": "A recovery code was used",
  "passkey-added": "A passkey was added",
  "passkey-removed": "A passkey was removed",
  "passkeys-removed": "All your passkeys were removed",
  "passkey-refused": "A passkey was refused, because it seems to have been copied",
  "password-set": "A password was set",
  "password-removed": "Your password was removed",
  "account-connected": "A provider account was connected",
  "account-disconnected": "A provider account was disconnected",
  "account-deleted": "The account was deleted",
  "team-created": "You created a team",
  "team-renamed": "You renamed a team",
  "team-strong-required": "You required a second factor from a team's members",
  "team-strong-optional": "You no longer require a second factor from a team's members",
  "team-data-exported": "You downloaded a team's data",
  "team-deleted": "A team was deleted",
  "team-invited": "You invited a member to a team",
  "team-invitation-sent-again": "You sent an invitation to a team again",
  "team-invitation-revoked": "You revoked an invitation to a team",
  "team-invitation-declined": "You declined an invitation to a team",
  "team-joined": "You joined a team",
  "team-left": "You left a team",
  "team-member-removed": "You were removed from a team",
  "team-role-changed": "Your role in a team was changed",
  "team-owner-made": "You were made an owner of a team",
  "team-key-created": "You created an API key of a team",
  "team-key-revoked": "You revoked an API key of a team",
  "team-billing-opened": "You opened the payment pages of a team",
  "team-plan-given": "A plan was given to a team",
  "team-plan-taken-back": "A plan that was given to a team was taken back",
  "team-subscribed": "A team's subscription started",
  "team-billing-changed": "A team's subscription changed",
  "team-payment-failed": "A team's payment failed",
  "team-second-subscription": "A team's second subscription ended",
  "team-plan-ended": "A team's subscription ended",
};

const filters: Record<string, { label: string; kinds: AuditKind[] }> = {
  logins: {
    label: "Logins",
    kinds: [
      "logged-in",
      "log-in-failed",
      "browser-confirmed",
      "logged-out",
      "session-ended",
      "other-sessions-ended",
      "all-sessions-ended",
      "session-replaced",
      "confirmation-failed",
      "login-disowned",
      "refresh-token-reused",
      "second-factor-failed",
      "recovery-code-used",
      "passkey-refused",
    ],
  },
  account: {
    label: "Account",
    kinds: [
      "signed-up",
      "name-changed",
      "data-exported",
      "password-changed",
      "password-reset",
      "email-change-requested",
      "email-changed",
      "email-restored",
      "role-changed",
      "suspended",
      "reinstated",
      "reset-sent",
      "password-retired",
      "two-factor-on",
      "two-factor-moved",
      "two-factor-off",
      "recovery-codes-renewed",
      "passkey-added",
      "passkey-removed",
      "passkeys-removed",
      "password-set",
      "password-removed",
      "account-connected",
      "account-disconnected",
      "api-key-created",
      "api-key-revoked",
    ],
  },
  teams: {
    label: "Teams",
    kinds: [
      "team-created",
      "team-renamed",
      "team-strong-required",
      "team-strong-optional",
      "team-data-exported",
      "team-deleted",
      "team-invited",
      "team-invitation-sent-again",
      "team-invitation-revoked",
      "team-invitation-declined",
      "team-joined",
      "team-left",
      "team-member-removed",
      "team-role-changed",
      "team-owner-made",
      "team-key-created",
      "team-key-revoked",
    ],
  },
};

const perPage = 25;

export default async function ActivityPage({ searchParams }: PageProps<"/settings/activity">) {
  const session = await requireSession("/settings/activity");
  const query = await searchParams;
  const filter =
    typeof query.show === "string" && Object.hasOwn(filters, query.show) ? query.show : null;
  const before = Number(query.before);
  const events = await listEvents(database(), session.userId, {
    kinds: filter ? filters[filter]?.kinds : undefined,
    before: Number.isSafeInteger(before) && before > 0 ? before : undefined,
    limit: perPage + 1,
  });
  const shown = events.slice(0, perPage);
  const older = events.length > perPage ? shown.at(-1)?.id : undefined;

  return (
    <>
      <PageHeader title="Activity">
        What happened to your account in the last year, newest first.
      </PageHeader>
      <nav aria-label="Filter" className="flex flex-wrap gap-1">
        <FilterLink current={filter === null}>Everything</FilterLink>
        {Object.entries(filters).map(([key, { label }]) => (
          <FilterLink key={key} show={key} current={filter === key}>
            {label}
          </FilterLink>
        ))}
      </nav>
      {shown.length === 0 ? (
        <EmptyState>No activity.</EmptyState>
      ) : (
        <ol className="card divide-y divide-line">
          {shown.map((event) => (
            <EventRow key={event.id} {...event} what={eventLabels[event.kind] ?? event.kind} />
          ))}
        </ol>
      )}
      <Pager older={older ? urlFor(filter, older) : undefined} />
    </>
  );
}

function FilterLink({
  show = null,
  current,
  children,
}: {
  show?: string | null;
  current: boolean;
  children: string;
}) {
  return (
    <Link
      href={urlFor(show)}
      aria-current={current ? "page" : undefined}
      className="rounded-full border border-line px-3 py-1.5 text-sm font-medium text-muted hover:text-ink aria-[current=page]:bg-sunken aria-[current=page]:text-ink"
    >
      {children}
    </Link>
  );
}

function urlFor(show: string | null, before?: number): Route {
  const query = new URLSearchParams();
  if (show) query.set("show", show);
  if (before) query.set("before", String(before));
  // A path of this site, whatever the query.
  return `/settings/activity${query.size ? `?${query}` : ""}` as Route;
}
