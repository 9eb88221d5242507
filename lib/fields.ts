import { z } from "zod";

/*
 * The fields from which the schemas beside the actions are built, each with the message that is
 * shown beside it. `meta({ secret: true })` keeps a value from ever being sent back.
 */

// Postgres text cannot hold NUL, and no name or email needs other control characters. Nor do they
// need bidi overrides, which reverse the text after them; right-to-left scripts do not need them.
const noControls = /^[^\p{Cc}\u202A-\u202E\u2066-\u2069]*$/u;

/** A visible character. A name without one could be neither seen nor clicked. */
const visible = /[^\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/u;

/**
 * An email, in the form in which it is stored and used for mail: NFKC first, so that a look-alike
 * "＠" or a full-width letter cannot pass for another email, then trimmed and in lower case.
 */
export const email = z
  .string("Enter your email.")
  .max(1000, "This email is too long.")
  .transform((value) => value.normalize("NFKC").trim().toLowerCase())
  .pipe(
    z
      .string()
      .min(1, "Enter your email.")
      .max(254, "This email is too long.")
      .regex(noControls, "This email has characters that an email cannot have.")
      .pipe(z.email("Enter an email like name@example.com.")),
  );

export const name = z
  .string("Enter your name.")
  .trim()
  .min(1, "Enter your name.")
  .max(100, "Use at most 100 characters.")
  .regex(visible, "Enter your name.")
  .regex(noControls, "Your name has characters that cannot be shown.");

/** A name that a user gives to something of their own. */
export const label = z
  .string("Enter a name.")
  .trim()
  .min(1, "Enter a name.")
  .max(100, "Use at most 100 characters.")
  .regex(visible, "Enter a name.")
  .regex(noControls, "This name has characters that cannot be shown.");

/** The name of a team. It must fit the switcher, and appears in mails. */
export const teamName = z
  .string("Enter a name.")
  .trim()
  .min(1, "Enter a name.")
  .max(60, "Use at most 60 characters.")
  .regex(visible, "Enter a name.")
  .regex(noControls, "This name has characters that cannot be shown.");

/** A text of several lines. */
export const text = z
  .string("Write something.")
  .transform((value) => value.replaceAll("\r\n", "\n").trim())
  .pipe(
    z
      .string()
      .min(1, "Write something.")
      .max(5000, "Use at most 5,000 characters.")
      .regex(/^[\P{Cc}\n\t]*$/u, "This has characters that cannot be shown."),
  );

/** Why something was done, for administrators who read it later. */
export const reason = z
  .string("Enter a reason.")
  .trim()
  .min(1, "Enter a reason.")
  .max(300, "Use at most 300 characters.")
  .regex(noControls, "This has characters that cannot be shown.");

/**
 * Exactly what was typed: never trimmed, folded or cut. The rules for a new one are in
 * lib/auth/credentials/passwords.ts.
 */
export const password = z
  .string("Enter your password.")
  .min(1, "Enter your password.")
  .meta({ secret: true });

/** A code from an authenticator app, or a recovery code. lib/auth finds out which and checks it. */
export const code = z
  .string("Enter the code.")
  .trim()
  .min(1, "Enter the code.")
  .max(100, "This code is too long.")
  .meta({ secret: true });

/** A passkey's answer from the browser, as JSON. lib/auth checks it. */
export const credential = z
  .string("Use the button that asks for your passkey.")
  .min(1, "Use the button that asks for your passkey.")
  .max(20_000, "This passkey's answer is too long.")
  .meta({ secret: true });

/** A checkbox: browsers send "on" when it is ticked and nothing when it is not. */
export const checkbox = z
  .literal("on", "Tick this box or leave it empty.")
  .optional()
  .transform((value) => value === "on");

/** The secret of a mailed link, from a form's hidden field. Checked when the link is redeemed. */
export const token = z.string("This link is incomplete.").max(200).meta({ secret: true });

/**
 * The team that a form is about, from its hidden field. `requireTeam` checks the user's membership.
 */
export const team = z.string("This form is incomplete.").max(100);

/** The public id of a row, from a form's hidden field. */
export const id = z.uuid("This is not a valid id.");
