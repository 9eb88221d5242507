import { z } from "zod";
import { lockRecipient, recipient } from "@/lib/auth/mails/recipient";
import { defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { shownName } from "./shown-name";

/* Mail to the other members after an owner has deleted the team. */

export const deleted = defineMail("team-deleted", {
  payload: { ...recipient, team: z.string(), by: z.string() },
  words: ({ team, by }) => ({
    subject: `The team ${shownName(team)} was deleted`,
    body: [
      `${by} has deleted the team “${shownName(team)}” on ${product.name}, with all its data. Your account is not affected.`,
      { label: "Your teams", path: "/teams" },
    ],
  }),
  render: lockRecipient,
});
