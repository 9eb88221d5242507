import type { Route } from "next";
import { EventRow } from "@/app/_ui/event";
import { Link } from "@/app/_ui/link";
import { type AuditEntry, type AuditKind, allUsersKey, kindsOfNoUser } from "@/lib/audit";

export const eventLabels: Record<AuditKind, string> = {
  "signed-up": "Account created",
  "logged-in": "Logged in",
  "log-in-failed": "Wrong password at login",
  "browser-confirmed": "Browser confirmed by email",
  "logged-out": "Logged out",
  "session-ended": "Device logged out",
  "other-sessions-ended": "Another device logged out",
  "all-sessions-ended": "All devices logged out",
  "session-rotated": "Identity confirmed",
  "session-replaced": "Session replaced by a new login in the same browser",
  "session-confirmed": "Identity confirmed in an app",
  "confirmation-failed": "Wrong password while logged in",
  "name-changed": "Name changed",
  "data-exported": "Data downloaded",
  "password-changed": "Password changed",
  "password-reset": "Password reset by email",
  "email-change-requested": "Email change requested",
  "email-changed": "Email changed",
  "email-restored": "Previous email restored",
  "login-disowned": "Login reported as unknown",
  "role-changed": "Role changed",
  suspended: "Suspended",
  reinstated: "Reinstated",
  "reset-sent": "Password reset link sent",
  "refresh-token-reused": "App logged out: an old token was used again",
  "api-key-created": "API key created",
  "api-key-revoked": "API key revoked",
  "second-factor-failed": "Wrong code",
  "password-retired": "Password disabled after wrong codes",
  "two-factor-on": "Two-factor turned on",
  "two-factor-moved": "Two-factor moved to another app",
  "two-factor-off": "Two-factor turned off",
  "recovery-codes-renewed": "New recovery codes made",
  "recovery-code-used": "Recovery code used",
  "passkey-added": "Passkey added",
  "passkey-removed": "Passkey removed",
  "passkeys-removed": "All passkeys removed",
  "passkey-refused": "Copied passkey refused",
  "password-set": "Password set",
  "password-removed": "Password removed",
  "account-connected": "Provider account connected",
  "account-disconnected": "Provider account disconnected",
  "account-deleted": "Account deleted",
  "team-created": "Team created",
  "team-renamed": "Team renamed",
  "team-strong-required": "Team requires a second factor",
  "team-strong-optional": "Team no longer requires a second factor",
  "team-data-exported": "Team data downloaded",
  "team-deleted": "Team deleted",
  "team-invited": "Invitation to a team sent",
  "team-invitation-sent-again": "Invitation to a team sent again",
  "team-invitation-revoked": "Invitation to a team revoked",
  "team-invitation-declined": "Invitation to a team declined",
  "team-joined": "Joined a team",
  "team-left": "Left a team",
  "team-member-removed": "Removed from a team",
  "team-role-changed": "Role in a team changed",
  "team-owner-made": "Made an owner of a team",
  "team-key-created": "API key of a team created",
  "team-key-revoked": "API key of a team revoked",
  "team-billing-opened": "Payment pages of a team opened",
  "team-plan-given": "Plan given to a team",
  "team-plan-taken-back": "Given plan of a team taken back",
  "team-subscribed": "Subscription of a team started",
  "team-billing-changed": "Subscription of a team changed",
  "team-payment-failed": "Payment of a team failed",
  "team-second-subscription": "Second subscription of a team ended",
  "team-plan-ended": "Subscription of a team ended",
};

/** An event as administrators see it: whose account, who acted, and the reason given. */
export function AuditRow({
  entry,
  about,
}: {
  entry: AuditEntry;
  /**
   * The id of the user whose page this is. Their actions on their own account then show no user.
   */
  about?: string;
}) {
  const { kind, detail, user, actor, team } = entry;
  const isOwn = user && user.id === about && !actor && !detail.by;
  const count = typeof detail.count === "number" ? detail.count : null;
  return (
    <EventRow {...entry} what={eventLabels[kind] ?? kind} count={count}>
      {!isOwn && (
        <p className="wrap-anywhere">
          {user ? (
            <UserLink {...user} />
          ) : detail[allUsersKey] ? (
            "All users"
          ) : kindsOfNoUser.has(kind) ? null : (
            "A deleted account"
          )}
          {actor ? (
            <>
              {" "}
              <span className="text-muted">by</span> <UserLink {...actor} />
            </>
          ) : (
            typeof detail.by === "string" && (
              <span className="text-muted"> {actorLabels[detail.by]}</span>
            )
          )}
        </p>
      )}
      {team && (
        <p className="wrap-anywhere">
          Team:{" "}
          <Link href={`/admin/teams/${team.id}` as Route} className="link">
            {team.name}
          </Link>
        </p>
      )}
      {typeof detail.reason === "string" && <p className="wrap-anywhere">“{detail.reason}”</p>}
      {typeof detail.role === "string" && <p>New role: {detail.role}</p>}
    </EventRow>
  );
}

/** The label of the actor, where no account identifies them. */
const actorLabels: Record<string, string> = {
  administrator: "by a deleted administrator",
  operator: "from the command line",
};

function UserLink({ id, email }: { id: string; email: string }) {
  return (
    <Link href={`/admin/users/${id}` as Route} className="link">
      {email}
    </Link>
  );
}
