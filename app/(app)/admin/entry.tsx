import type { Route } from "next";
import Link from "next/link";
import { EventRow } from "@/app/_ui/event";
import type { AuditEntry, AuditKind } from "@/lib/audit";

export const words: Record<AuditKind, string> = {
  "signed-up": "Created the account",
  "logged-in": "Logged in",
  "log-in-failed": "Wrong password at login",
  "browser-confirmed": "Confirmed a browser by mail",
  "logged-out": "Logged out",
  "session-ended": "A device was logged out",
  "other-sessions-ended": "Another device was logged out",
  "all-sessions-ended": "Every device was logged out",
  "session-rotated": "Confirmed who they are",
  "session-replaced": "Session replaced by a new login in the same browser",
  "session-confirmed": "Confirmed who they are in an app",
  "confirmation-failed": "Wrong password while logged in",
  "name-changed": "Name changed",
  "data-exported": "Data downloaded",
  "password-changed": "Password changed",
  "password-reset": "Password reset by mail",
  "email-change-requested": "Asked to change the email",
  "email-changed": "Email changed",
  "email-restored": "Old address restored",
  "login-disowned": "Reported a login as not theirs",
  "role-changed": "Role changed",
  suspended: "Suspended",
  reinstated: "Reinstated",
  "reset-sent": "Link to a new password sent",
  "refresh-token-reused": "An app was logged out: an old token was used again",
  "api-key-created": "API key created",
  "api-key-revoked": "API key revoked",
  "account-deleted": "Account deleted",
};

/** An event as administrators read it: whose account, who acted, and what they said about it. */
export function Entry({
  entry,
  about,
}: {
  entry: AuditEntry;
  /** The id of whose page this is on: what they did to themselves need not name them. */
  about?: string;
}) {
  const { kind, detail, user, actor } = entry;
  const isOwn = user && user.id === about && !actor && !detail.by;
  const count = typeof detail.count === "number" ? detail.count : null;
  return (
    <EventRow {...entry} what={words[kind] ?? kind} count={count}>
      {!isOwn && (
        <p className="wrap-anywhere">
          {user ? <Person {...user} /> : detail.everybody ? "Everybody" : "A deleted account"}
          {actor ? (
            <>
              {" "}
              <span className="text-muted">by</span> <Person {...actor} />
            </>
          ) : (
            typeof detail.by === "string" && (
              <span className="text-muted"> {nameless[detail.by]}</span>
            )
          )}
        </p>
      )}
      {typeof detail.reason === "string" && <p className="wrap-anywhere">“{detail.reason}”</p>}
      {typeof detail.role === "string" && <p>Now: {detail.role}</p>}
    </EventRow>
  );
}

/** Who acted, where no account says so. */
const nameless: Record<string, string> = {
  administrator: "by an administrator who has left",
  operator: "on the command line",
};

function Person({ id, email }: { id: string; email: string }) {
  return (
    <Link href={`/admin/users/${id}` as Route} className="link">
      {email}
    </Link>
  );
}
