import { z } from "zod";
import { lockRecipient, recipient } from "@/lib/auth/mails/recipient";
import { defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { shownName } from "./shown-name";

/* Mail about a new API key, to the owners of the team and to the member who made the key. */

export const keyCreated = defineMail("team-key-created", {
  payload: { ...recipient, team: z.string(), handle: z.string(), key: z.string(), by: z.string() },
  words: ({ team, handle, key, by }) => ({
    subject: `An API key of ${shownName(team)} was created`,
    body: [
      `${by} has created an API key named “${shownName(key)}” for the team “${shownName(team)}” on ${product.name}. It works until it expires or is revoked.`,
      "If you expected this, there is nothing to do. If not, revoke the key:",
      { label: "The team's API keys", path: `/t/${handle}/settings/api-keys` },
    ],
  }),
  render: lockRecipient,
});
