import { z } from "zod";
import { createLink } from "@/lib/auth/links";
import { defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { type ProviderId, providerIds, providerNames } from "@/lib/provider-ids";
import { auditEvent, wasOvertaken } from "./overtaking-events";
import { lockRecipient, recipient } from "./recipient";
import { describeVisit, visit } from "./visit";

/*
 * Sent after a login from an app, or from a browser that is not known. Security: no link is made
 * once the owner has restored the email, because the login may be the attacker's, and `to` the
 * email that the attacker had set.
 */

export const newDevice = defineMail("new-device", {
  payload: {
    ...{ ...recipient, ...visit, ...auditEvent },
    /** A passkey, or the provider of a connected account; absent for a password. */
    by: z.enum(["passkey", ...providerIds]).optional(),
  },
  words: ({ by, ...payload }, { token }: { token: string }) => ({
    subject: "New login to your account",
    body: [
      `A device that we have not seen before logged in to your ${product.name} account ${describeVisit(payload)}.`,
      `If it was you, there is nothing to do. If it was not, ${attackerHas(by)}. This link ends all access and sends you a link to set a new password:`,
      { label: "This was not me", path: `/not-me/${token}` },
    ],
  }),
  async render(tx, payload) {
    const user = await lockRecipient(tx, payload);
    if (user?.status !== "active" || (await wasOvertaken(tx, payload))) return null;
    const link = {
      userId: user.id,
      purpose: "not-me",
      sentTo: payload.to,
      event: payload.event,
    } as const;
    return { token: await createLink(tx, link) };
  },
});

function attackerHas(by?: "passkey" | ProviderId): string {
  if (!by) return "an attacker knows your password";
  if (by === "passkey")
    return "an attacker can use one of your passkeys, so remove it in your settings too";
  return `an attacker has access to your ${providerNames[by]} account, so secure that too`;
}
