import { z } from "zod";
import { lockRecipient, recipient } from "@/lib/auth/mails/recipient";
import { defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { shownName } from "./shown-name";

/* Mail to the inviter, after the invited user has joined. */

export const joined = defineMail("joined-team", {
  payload: { ...recipient, team: z.string(), handle: z.string(), email: z.string() },
  words: ({ team, handle, email }) => ({
    subject: `Your invitation to ${shownName(team)} was accepted`,
    body: [
      `${email} has accepted your invitation and joined the team “${shownName(team)}” on ${product.name}.`,
      { label: "See the members", path: `/t/${handle}/settings/members` },
    ],
  }),
  render: lockRecipient,
});
