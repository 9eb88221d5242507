import { z } from "zod";
import { always, defineMail } from "@/lib/mail/define";
import { plainName } from "@/lib/plain-name";
import { product } from "@/lib/product";
import { mailbox } from "./recipient";

/* Sent after the deletion of an account. No row is left, so the payload holds the name. */

export const farewell = defineMail("farewell", {
  payload: { ...mailbox, name: z.string() },
  words({ name: typed }) {
    const name = plainName(typed);
    return {
      subject: "Your account is deleted",
      body: [
        `Goodbye${name && `, ${name}`}. Your ${product.name} account and everything in it were deleted, as you asked. We keep no copy.`,
      ],
    };
  },
  render: always,
});
