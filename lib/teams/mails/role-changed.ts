import { z } from "zod";
import { lockRecipient, recipient } from "@/lib/auth/mails/recipient";
import { defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { roleInWords, teamRoles } from "../roles";
import { shownName } from "./shown-name";

/* Mail to a member whose role in a team was changed, also when ownership was given or taken. */

export const roleChanged = defineMail("team-role-changed", {
  payload: { ...recipient, team: z.string(), handle: z.string(), role: z.enum(teamRoles) },
  words: ({ team, handle, role }) => ({
    subject: `Your role in ${shownName(team)} was changed`,
    body: [
      `You are now ${roleInWords(role)} of the team “${shownName(team)}” on ${product.name}.`,
      { label: "Open the team", path: `/t/${handle}` },
    ],
  }),
  render: lockRecipient,
});
