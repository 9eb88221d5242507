import { z } from "zod";
import { createLink } from "@/lib/auth/links";
import { linkPolicy } from "@/lib/auth/policy";
import { defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { inWords } from "@/lib/time";
import { lockRecipientByEmail, mailbox } from "./recipient";

/*
 * The link to choose a new password, asked for by a user, or sent by an administrator. The security
 * fact: a suspended user gets none, because it would open the account after the reinstatement.
 */

export const passwordReset = defineMail("password-reset", {
  payload: { ...mailbox, by: z.literal("administrator").optional() },
  words: ({ by }, { token }: { token: string }) => ({
    subject: "Choose a new password",
    body: [
      by === "administrator"
        ? `An administrator of ${product.name} sent you this, so that you can choose a new password for the account with this email.`
        : `Someone, hopefully you, forgot the password of the ${product.name} account with this email.`,
      `Open this link to choose a new one. It works once, for ${inWords(linkPolicy.passwordReset)}. Every device is logged out then.`,
      { label: "Choose a new password", path: `/reset-password/${token}` },
      by === "administrator"
        ? "If you do not want one, there is nothing to do: your password stays as it is."
        : "If it was not you, there is nothing to do: your password stays as it is.",
    ],
  }),
  async render(tx, payload) {
    const user = await lockRecipientByEmail(tx, payload);
    if (user?.status !== "active") return null;
    const link = { userId: user.id, purpose: "password-reset", sentTo: user.email } as const;
    return { token: await createLink(tx, link) };
  },
});
