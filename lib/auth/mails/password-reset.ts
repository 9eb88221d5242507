import { z } from "zod";
import { createLink } from "@/lib/auth/links";
import { linkPolicy } from "@/lib/auth/policy";
import { defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { inWords } from "@/lib/time";
import { lockRecipientByEmail, mailbox } from "./recipient";

/*
 * Sends the link to choose a new password: requested by the user, sent by an administrator, or sent
 * after too many wrong codes. Security: a suspended user gets none, because it would open the
 * account after the reinstatement.
 */

const reasons = {
  asked: `We received a request for a new password for the ${product.name} account with this email.`,
  administrator: `An administrator of ${product.name} sent you this link to choose a new password for the account with this email.`,
  "wrong-codes": `Too many wrong codes in a row were entered for the ${product.name} account with this email. The code is asked for after the password, so an attacker may know your password. It no longer works.`,
};

const stays = "your password does not change.";
const unused = {
  asked: `If you did not ask for this, there is nothing to do: ${stays}`,
  administrator: `If you do not want a new password, there is nothing to do: ${stays}`,
  "wrong-codes":
    "Until then, your devices stay logged in. To get another link, press “Forgot your password?” on the login page.",
};

export const passwordReset = defineMail("password-reset", {
  payload: { ...mailbox, by: z.enum(["administrator", "wrong-codes"]).optional() },
  words: ({ by }, { token }: { token: string }) => ({
    subject: "Choose a new password",
    body: [
      reasons[by ?? "asked"],
      `Open this link to choose a new one. It works once, for ${inWords(linkPolicy.passwordReset)}. The new password logs out every device.`,
      { label: "Choose a new password", path: `/reset-password/${token}` },
      unused[by ?? "asked"],
    ],
  }),
  async render(tx, payload) {
    const user = await lockRecipientByEmail(tx, payload);
    if (user?.status !== "active") return null;
    const link = { userId: user.id, purpose: "password-reset", sentTo: user.email } as const;
    return { token: await createLink(tx, link) };
  },
});
