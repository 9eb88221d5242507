import { z } from "zod";
import { createLink } from "@/lib/auth/links";
import { defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { auditEvent, wasOvertaken } from "./overtaking-events";
import { lockRecipient, recipient } from "./recipient";
import { describeVisit, visit } from "./visit";

/*
 * Sent after the user changed two-factor, or used a recovery code. Security: its link removes
 * two-factor that was turned on and recovery codes that were made since, so that an attacker who
 * knows the password cannot lock the owner out. It does not restore a previous app. No link is made
 * if the owner has restored the email.
 */

export const twoFactorChanged = defineMail("two-factor-changed", {
  payload: {
    ...{ ...recipient, ...visit, ...auditEvent },
    change: z.enum(["on", "moved", "off", "recovery-codes-renewed", "recovery-code-used"]),
    recoveryCodes: z.number(),
  },
  words: ({ change, recoveryCodes, ...payload }, { token }: { token: string }) => {
    const where = describeVisit(payload);
    const account = `your ${product.name} account`;
    const left = `You have ${recoveryCodes} recovery code${recoveryCodes === 1 ? "" : "s"} left.`;
    const words = {
      on: ["Two-factor is on", `Two-factor was turned on for ${account} ${where}.`],
      moved: [
        "Two-factor uses another app",
        `Two-factor for ${account} was moved to another app ${where}. The previous app no longer works, and the link below does not bring it back. If it was not you, open the link and write to ${product.supportEmail}.`,
      ],
      off: ["Two-factor is off", `Two-factor was turned off for ${account} ${where}.`],
      "recovery-codes-renewed": [
        "You have new recovery codes",
        `New recovery codes were made for ${account} ${where}. The previous ones no longer work.`,
      ],
      "recovery-code-used": [
        "A recovery code was used",
        `A recovery code of ${account} was used ${where}. ${left}`,
      ],
    } as const;
    const [subject, sentence] = words[change];
    return {
      subject,
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
