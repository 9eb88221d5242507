import { z } from "zod";
import { createLink } from "@/lib/auth/links";
import { defineMail } from "@/lib/mail/define";
import { plainName } from "@/lib/plain-name";
import { product } from "@/lib/product";
import { providerIds, providerNames } from "@/lib/provider-ids";
import { auditEvent, wasOvertaken } from "./overtaking-events";
import { lockRecipient, recipient } from "./recipient";
import { describeVisit, visit } from "./visit";

/*
 * Sent after an account at a provider was connected or disconnected. Security: its link also
 * removes accounts that were connected since, so that an attacker keeps none as a way back. No link
 * is made if the owner has restored the email.
 */

export const connectedAccountChanged = defineMail("connected-account-changed", {
  payload: {
    ...{ ...recipient, ...visit, ...auditEvent },
    change: z.enum(["connected", "disconnected"]),
    provider: z.enum(providerIds),
    label: z.string(),
  },
  words: ({ change, provider, label, ...payload }, { token }: { token: string }) => {
    const where = describeVisit(payload);
    const account = `The ${providerNames[provider]} account “${plainName(label)}”`;
    return {
      subject: `An account was ${change}`,
      body: [
        change === "connected"
          ? `${account} was connected to your ${product.name} account ${where}. You can log in with it now.`
          : `${account} was disconnected from your ${product.name} account ${where}. You can no longer log in with it.`,
        "If it was you, there is nothing to do. If it was not, an attacker has access to your account. This link ends all access and sends you a link to set a new password:",
        { label: "This was not me", path: `/not-me/${token}` },
      ],
    };
  },
  async render(tx, payload) {
    const user = await lockRecipient(tx, payload);
    if (user?.status !== "active" || (await wasOvertaken(tx, payload))) return null;
    const { to: sentTo, event } = payload;
    return { token: await createLink(tx, { userId: user.id, purpose: "not-me", sentTo, event }) };
  },
});
