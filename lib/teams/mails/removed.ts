import { z } from "zod";
import { lockRecipient, recipient } from "@/lib/auth/mails/recipient";
import { defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { shownName } from "./shown-name";

/* Mail to a member who was removed from a team by another member. */

export const removed = defineMail("removed-from-team", {
  payload: { ...recipient, team: z.string() },
  words: ({ team }) => ({
    subject: `You were removed from ${shownName(team)}`,
    body: [
      `You are no longer a member of the team “${shownName(team)}” on ${product.name}. Your account is not affected.`,
      "If you did not expect this, ask an owner of the team.",
      { label: "Your teams", path: "/teams" },
    ],
  }),
  render: lockRecipient,
});
