import { Form, Submit } from "@/app/_ui/form";
import { Section } from "@/app/_ui/page";
import { database } from "@/lib/db/client";
import { plainName } from "@/lib/plain-name";
import { listInvitationsFor, type ReceivedInvitation } from "@/lib/teams/invitations";
import { roleInWords } from "@/lib/teams/roles";
import { declineInvitation, joinTeam } from "./actions";

const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeZone: "UTC" });

/** The user's open invitations, if any. The names in them may be chosen by an attacker. */
export async function InvitationsForYou({ userId }: { userId: string }) {
  const invitations = await listInvitationsFor(database(), { userId });
  if (invitations.length === 0) return null;
  return (
    <Section title="Invitations for you">
      <ul aria-label="Invitations for you" className="grid gap-5">
        {invitations.map((invitation) => (
          <InvitationRow key={invitation.id} invitation={invitation} />
        ))}
      </ul>
    </Section>
  );
}

function InvitationRow({ invitation }: { invitation: ReceivedInvitation }) {
  const { id, role, inviter, inviterEmail, expiresAt } = invitation;
  const team = plainName(invitation.team) || "the team";
  return (
    <li className="flex flex-wrap items-center justify-between gap-x-6 gap-y-3">
      <div className="min-w-0 flex-1 basis-60">
        <h3 className="font-medium wrap-anywhere">{team}</h3>
        <p className="text-sm wrap-anywhere text-muted">
          As {roleInWords(role)}, from {plainName(inviter)} ({inviterEmail}). Until{" "}
          {day.format(expiresAt)}.
        </p>
      </div>
      <div className="flex flex-wrap gap-3">
        <Form action={joinTeam}>
          <input type="hidden" name="id" value={id} />
          <Submit className="button-primary py-2 whitespace-normal wrap-anywhere">
            Join {team}
          </Submit>
        </Form>
        <Form action={declineInvitation}>
          <input type="hidden" name="id" value={id} />
          <Submit className="button">
            Decline<span className="sr-only"> the invitation to {team}</span>
          </Submit>
        </Form>
      </div>
    </li>
  );
}
