import { z } from "zod";
import { always, defineMail } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { recipient } from "./recipient";

/* Sent after an administrator logged a user out, on one device or on all. */

export const loggedOut = defineMail("logged-out", {
  payload: { ...recipient, devices: z.enum(["one", "all"]) },
  words: ({ devices }) => ({
    subject: devices === "all" ? "You were logged out" : "A device was logged out",
    body: [
      devices === "all"
        ? `An administrator logged your ${product.name} account out on every device and in every app.`
        : `An administrator logged one of your devices out of your ${product.name} account.`,
      "Your password has not changed. You can log in again:",
      { label: "Log in", path: "/login" },
    ],
  }),
  render: always,
});
