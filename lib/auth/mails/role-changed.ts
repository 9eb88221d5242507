import { z } from "zod";
import { always, defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { recipient } from "./recipient";

/* Sent after an administrator granted or revoked the administrator role. */

export const roleChanged = defineMail("role-changed", {
  payload: { ...recipient, role: z.enum(["user", "admin"]) },
  words: ({ role }) => ({
    subject: "Your role was changed",
    body: [
      role === "admin"
        ? `You are now an administrator of ${product.name}. Find the administration in the menu at the top of every page. It asks for your password before it opens.`
        : `You are no longer an administrator of ${product.name}. Your account stays as it is.`,
      `If you did not expect this, write to ${product.supportEmail}.`,
    ],
  }),
  render: always,
});
