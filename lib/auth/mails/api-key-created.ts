import { z } from "zod";
import { defineMail } from "@/lib/mail/define";
import { plainName } from "@/lib/plain-name";
import { product } from "@/lib/product";
import { lockRecipient, recipient } from "./recipient";
import { describeVisit, visit } from "./visit";

/*
 * Warns the owner of a new API key. Security: `key` is the name that its creator typed, and the
 * creator may be an attacker, so it passes through `plainName`.
 */

export const apiKeyCreated = defineMail("api-key-created", {
  payload: { ...recipient, ...visit, key: z.string() },
  words({ key, ...payload }) {
    const name = plainName(key);
    return {
      subject: "An API key was created",
      body: [
        `An API key${name && ` named “${name}”`} was created for your ${product.name} account ${describeVisit(payload)}.`,
        "If it was you, there is nothing to do. If it was not, revoke the key and change your password:",
        { label: "Your API keys", path: "/settings/api-keys" },
      ],
    };
  },
  render: lockRecipient,
});
