import { createLink } from "@/lib/auth/links";
import { linkPolicy } from "@/lib/auth/policy";
import { defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { inWords } from "@/lib/time";
import { lockRecipientByEmail, mailbox } from "./recipient";

/*
 * Sends the link that lets a new browser log in after too many wrong passwords
 * (lib/auth/login/attempts.ts). Security: the link does not replace the password, so the mailbox
 * alone does not open the account.
 */

export const confirmBrowser = defineMail("confirm-browser", {
  payload: mailbox,
  words: (_, { token }: { token: string }) => ({
    subject: "Confirm your browser",
    body: [
      `We received a request to log in to your ${product.name} account in a new browser. Too many wrong passwords were entered for this account, so a browser that has not logged in before needs this link first.`,
      `Open it in the browser that you want to log in with. It works once, for ${inWords(linkPolicy.confirmBrowser)}. You still need your password.`,
      { label: "Confirm this browser", path: `/confirm-browser/${token}` },
      "If you did not ask for this, do not open the link. Your password has not changed, and your own browsers can log in as before.",
    ],
  }),
  async render(tx, payload) {
    const user = await lockRecipientByEmail(tx, payload);
    if (user?.status !== "active") return null;
    const link = { userId: user.id, purpose: "confirm-browser", sentTo: user.email } as const;
    return { token: await createLink(tx, link) };
  },
});
