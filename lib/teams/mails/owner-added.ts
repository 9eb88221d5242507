import { z } from "zod";
import { lockRecipient, recipient } from "@/lib/auth/mails/recipient";
import { defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { shownName } from "./shown-name";

/* Warns the owners of a team that a member has become an owner. */

export const ownerAdded = defineMail("team-owner-added", {
  /** `email`: the new owner's. `by`: the email of the owner who made them one. */
  payload: {
    ...recipient,
    team: z.string(),
    handle: z.string(),
    email: z.string(),
    by: z.string(),
  },
  words: ({ team, handle, email, by }) => ({
    subject: `${shownName(team)} has a new owner`,
    body: [
      `${by} has made ${email} an owner of the team “${shownName(team)}” on ${product.name}. Owners can change the role of every member and delete the team.`,
      "If you expected this, there is nothing to do. If not, change the role back:",
      { label: "The team's members", path: `/t/${handle}/settings/members` },
    ],
  }),
  render: lockRecipient,
});
