import { sql } from "drizzle-orm";
import { z } from "zod";
import { mailbox } from "@/lib/auth/mails/recipient";
import { hashToken, newToken } from "@/lib/auth/secrets";
import { invitations } from "@/lib/db/schema/invitations";
import { members } from "@/lib/db/schema/members";
import { teams } from "@/lib/db/schema/teams";
import { users } from "@/lib/db/schema/users";
import { defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { inWords } from "@/lib/time";
import { teamPolicy } from "../policy";
import { roleInWords } from "../roles";
import { shownName } from "./shown-name";

/*
 * Invites an email to a team. Security: the link's token is created here and its hash replaces the
 * previous one, so only the newest mail works; the names of the team and the inviter, which an
 * attacker may have chosen, pass through `shownName` and appear next to the inviter's email.
 */

type Invited = {
  token: string;
  team: string;
  role: "admin" | "member";
  inviter: string;
  from: string;
};

export const invitation = defineMail("invitation", {
  payload: { ...mailbox, teamId: z.string(), invitation: z.string() },
  words: (_payload, { token, team, role, inviter, from }: Invited) => {
    const name = shownName(team);
    return {
      subject: `Join ${name} on ${product.name}`,
      body: [
        `${shownName(inviter)} (${from}) invites you to the team “${name}” on ${product.name}, as ${roleInWords(role)}.`,
        `Open this link to join. It works once, for ${inWords(teamPolicy.invitation)}. If you have no account yet, you can create one there.`,
        { label: "See the invitation", path: `/invitations/${token}` },
        "Do not forward this email: with the link, another reader could create an account with your email.",
        "If you do not know the sender, there is nothing to do: nothing happens without the link.",
      ],
    };
  },
  async render(tx, { teamId, invitation, to }) {
    const token = newToken();
    const [found] = await tx.execute<Omit<Invited, "token">>(sql`
      update ${invitations} set token_hash = ${hashToken(token)}
      from ${teams}, ${members}, ${users}
      where ${invitations.teamId} = ${teamId} and ${invitations.id} = ${invitation}
        and ${invitations.email} = ${to} and ${invitations.expiresAt} > now()
        and ${teams.id} = ${teamId} and ${members.teamId} = ${teamId}
        and ${members.userId} = ${invitations.invitedBy} and ${users.id} = ${members.userId}
        and ${users.status} = 'active'
      returning ${teams.name} as team, ${invitations.role}, ${users.name} as inviter, ${users.email} as "from"`);
    return found ? { ...found, token } : null;
  },
});
