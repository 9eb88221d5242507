import { linkPolicy } from "@/lib/auth/policy";
import { createSignUp } from "@/lib/auth/sign-up-links";
import { defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { inWords } from "@/lib/time";
import { mailbox } from "./recipient";

/*
 * To an email that asked to sign up. The security fact: whether it has an account is said in this
 * mail alone, which only the mailbox's owner reads; the page answers alike for every email.
 */

export const signUp = defineMail("sign-up", {
  payload: mailbox,
  words: (_, { token }: { token: string | null }) =>
    token
      ? {
          subject: "Finish creating your account",
          body: [
            `We received a request to create a ${product.name} account with this email.`,
            `Open this link to choose your name and password. It works once, for ${inWords(linkPolicy.signUp)}.`,
            { label: "Create your account", path: `/signup/${token}` },
            "If you did not ask for this, there is nothing to do: without the link no account is created.",
          ],
        }
      : {
          subject: "You already have an account",
          body: [
            `We received a request to create a ${product.name} account with this email. You have one already.`,
            { label: "Log in", path: "/login" },
            "If you did not ask for this, there is nothing to do: nothing about your account has changed.",
          ],
        },
  render: async (tx, { to }) => ({ token: await createSignUp(tx, to) }),
});
