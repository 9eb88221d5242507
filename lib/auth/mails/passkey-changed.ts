import { z } from "zod";
import { createLink } from "@/lib/auth/links";
import { defineMail } from "@/lib/mail/define";
import { plainName } from "@/lib/plain-name";
import { product } from "@/lib/product";
import { auditEvent, wasOvertaken } from "./overtaking-events";
import { lockRecipient, recipient } from "./recipient";
import { describeVisit, visit } from "./visit";

/*
 * Sent after a passkey was added or removed, or refused because it was copied. Security: its link
 * removes passkeys that were added since, so that an attacker cannot keep access with one. A copied
 * passkey stays until its owner removes it. No link is made if the owner has restored the email.
 */

export const passkeyChanged = defineMail("passkey-changed", {
  payload: {
    ...{ ...recipient, ...visit, ...auditEvent },
    change: z.enum(["added", "removed", "refused"]),
    name: z.string(),
  },
  words: ({ change, name, ...payload }, { token }: { token: string }) => {
    const where = describeVisit(payload);
    const passkey = `The passkey “${plainName(name)}”`;
    const account = `your ${product.name} account`;
    const words = {
      added: ["A passkey was added", `${passkey} was added to ${account} ${where}.`],
      removed: ["A passkey was removed", `${passkey} was removed from ${account} ${where}.`],
      refused: [
        "A passkey was refused",
        `${passkey} of ${account} was used ${where} in a way that suggests that it was copied. The login was refused, and devices that had logged in with this passkey are logged out. Remove it and add a new one.`,
      ],
    } as const;
    const [subject, sentence] = words[change];
    return {
      subject,
      body: [
        sentence,
        change === "refused"
          ? "If you have not removed it yet, do that first. Then open this link: it logs out every device and sends you a link to set a new password:"
          : "If it was you, there is nothing else to do. If it was not, an attacker has access to your account. This link ends all access and sends you a link to set a new password:",
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
