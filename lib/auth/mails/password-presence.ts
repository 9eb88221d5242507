import { z } from "zod";
import { createLink } from "@/lib/auth/links";
import { defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { auditEvent, wasOvertaken } from "./overtaking-events";
import { lockRecipient, recipient } from "./recipient";
import { describeVisit, visit } from "./visit";

/*
 * Sent after a first password was set, or the password removed. Security: its link removes a
 * password that an attacker has set. No link is made if the owner has restored the email.
 */

export const passwordPresence = defineMail("password-presence", {
  payload: { ...recipient, ...visit, ...auditEvent, change: z.enum(["set", "removed"]) },
  words: ({ change, ...payload }, { token }: { token: string }) => {
    const where = describeVisit(payload);
    const account = `your ${product.name} account`;
    const sentence = {
      set: `A password was set for ${account} ${where}. You can log in with it now.`,
      removed: `The password of ${account} was removed ${where}. Devices that had logged in with it are logged out.`,
    }[change];
    return {
      subject: change === "set" ? "A password was set" : "Your password was removed",
      body: [
        sentence,
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
