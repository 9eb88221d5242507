import { z } from "zod";
import { linkPolicy } from "@/lib/auth/policy";
import { createSignUp } from "@/lib/auth/sign-up-links";
import { defineMail } from "@/lib/mail/define";
import { plainName } from "@/lib/plain-name";
import { product } from "@/lib/product";
import { providerIds } from "@/lib/provider-ids";
import { inWords } from "@/lib/time";
import { mailbox } from "./recipient";

/*
 * Sent to an email that asked to sign up. Security: only this mail, which only the mailbox's owner
 * reads, says whether the email has an account; the page gives the same answer for every email.
 */

/** The account at a provider that the sign-up began with. */
const identity = z.object({
  ...{ issuer: z.string(), subject: z.string(), provider: z.enum(providerIds) },
  ...{ label: z.string(), name: z.string(), browserHash: z.string() },
});

export const signUp = defineMail("sign-up", {
  payload: { ...mailbox, identity: identity.optional() },
  words: ({ identity }, { token }: { token: string | null }) =>
    token
      ? {
          subject: "Finish creating your account",
          body: [
            `We received a request to create a ${product.name} account with this email.`,
            `Open this link to choose your name and password. It works once, for ${inWords(linkPolicy.signUp)}.`,
            ...(identity
              ? [
                  `In the browser that you came from, you need no password: you will be able to log in with “${plainName(identity.label)}”.`,
                ]
              : []),
            { label: "Create your account", path: `/signup/${token}` },
            "If you did not ask for this, there is nothing to do: without the link no account is created.",
          ],
        }
      : {
          subject: "You already have an account",
          body: [
            `We received a request to create a ${product.name} account with this email. You have one already.`,
            ...(identity
              ? [
                  `Log in as you did before. Then you can connect “${plainName(identity.label)}” under Settings → Connected accounts.`,
                ]
              : []),
            { label: "Log in", path: "/login" },
            "If you did not ask for this, there is nothing to do: nothing about your account has changed.",
          ],
        },
  render: async (tx, { to, identity }) => ({ token: await createSignUp(tx, to, identity) }),
});
