import { z } from "zod";
import { lockRecipient, recipient } from "@/lib/auth/mails/recipient";
import { defineMail } from "@/lib/mail/define";
import { plainName } from "@/lib/plain-name";
import { product } from "@/lib/product";

/*
 * Warns the owners of a team, and the member who made it, of a new API key. The security fact: an attacker
 * may have chosen the names of key and team, so both pass through `plainName`.
 */

export const keyCreated = defineMail("team-key-created", {
  payload: { ...recipient, team: z.string(), handle: z.string(), key: z.string(), by: z.string() },
  words({ team, handle, key, by }) {
    const name = plainName(key);
    return {
      subject: `An API key of ${plainName(team) || "your team"} was created`,
      body: [
        `${by} has created an API key${name && ` named “${name}”`} of the team “${plainName(team)}” on ${product.name}. It opens the team's projects until it expires or is revoked.`,
        "If you expected this, there is nothing to do. If not, revoke the key:",
        { label: "The team's API keys", path: `/t/${handle}/settings/api-keys` },
      ],
    };
  },
  render: lockRecipient,
});
