import { Field, Select } from "@/app/_ui/field";
import { Form, Submit } from "@/app/_ui/form";
import { Badge, Section } from "@/app/_ui/page";
import { database } from "@/lib/db/client";
import { countSeats, listInvitations, type SentInvitation } from "@/lib/teams/invitations";
import { can, invitedRoles, roleLabels } from "@/lib/teams/roles";
import type { MemberScope } from "@/lib/teams/scope";
import { revokeInvitation, sendInvitation, sendInvitationAgain } from "./invitation-actions";

/** The notices that the members' page shows after an action on invitations, by key in its URL. */
export const invitationNotices = {
  invited: "The invitation is on its way.",
  "sent-again": "The invitation is sent again. The link in the previous email no longer works.",
  "invitation-revoked": "The invitation is revoked. Its link no longer works.",
  "invitation-gone": { info: "That invitation was accepted, declined or revoked already." },
};

const roles = Object.fromEntries(invitedRoles.map((role) => [role, roleLabels[role]]));

const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeZone: "UTC" });

/** The section of the members' page for those who may invite: the form and the sent invitations. */
export async function Invitations({ scope }: { scope: MemberScope }) {
  if (!can(scope.role, "invite")) return null;
  const [sent, seats] = [
    await listInvitations(database(), scope),
    await countSeats(database(), scope),
  ];
  return (
    <>
      <Section
        title="Invite a member"
        description="We send a link to this email. Users with an account log in to join; all others sign up with the link."
      >
        <Form action={sendInvitation} className="grid max-w-md gap-4">
          <input type="hidden" name="team" value={scope.handle} />
          <Field name="email" label="Email" type="email" autoComplete="off" />
          <Select name="role" label="Role" options={roles} defaultValue="member" />
          <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
            <Submit>Send invitation</Submit>
            <p className="text-sm text-muted">
              {seats} of {scope.limits.members} seats used
            </p>
          </div>
        </Form>
      </Section>
      {sent.length > 0 && (
        <section aria-labelledby="invitations" className="grid gap-3">
          <h2 id="invitations" className="font-medium">
            Invitations
          </h2>
          <ul className="card divide-y divide-line">
            {sent.map((invitation) => (
              <InvitationRow key={invitation.id} scope={scope} invitation={invitation} />
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

function InvitationRow({ scope, invitation }: { scope: MemberScope; invitation: SentInvitation }) {
  const { id, email, role, sentBy, expiresAt, expired } = invitation;
  return (
    <li className="flex flex-wrap items-start justify-between gap-x-6 gap-y-3 p-4 sm:p-5">
      <div className="min-w-0 flex-1 basis-60">
        <h3 className="flex flex-wrap items-center gap-x-2.5 gap-y-1 font-medium wrap-anywhere">
          {email}
          {expired && <Badge tone="danger">Expired</Badge>}
        </h3>
        <p className="mt-1 text-sm wrap-anywhere text-muted">
          {roleLabels[role]} · sent by {sentBy} · {expired ? "expired" : "expires"}{" "}
          {day.format(expiresAt)}
        </p>
      </div>
      <div className="flex flex-wrap gap-3">
        <Form action={sendInvitationAgain}>
          <input type="hidden" name="team" value={scope.handle} />
          <input type="hidden" name="id" value={id} />
          <Submit className="button">
            Send again<span className="sr-only"> to {email}</span>
          </Submit>
        </Form>
        <Form action={revokeInvitation}>
          <input type="hidden" name="team" value={scope.handle} />
          <input type="hidden" name="id" value={id} />
          <Submit className="button">
            Revoke<span className="sr-only"> the invitation of {email}</span>
          </Submit>
        </Form>
      </div>
    </li>
  );
}
