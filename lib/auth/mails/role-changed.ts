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
        ? `You are now an administrator of ${product.name}. Choose “Admin” in the menu at the top of every page. You need a passkey or two-factor, and may have to confirm that it is you.`
        : `You are no longer an administrator of ${product.name}. Nothing else about your account has changed.`,
      `If you did not expect this, write to ${product.supportEmail}.`,
    ],
  }),
  render: always,
});
