import { z } from "zod";

/*
 * The atoms that the schemas beside the actions are built from. Each carries the sentence that stands
 * beside the field. `meta({ secret: true })` keeps a value from ever being sent back.
 */

// Postgres text cannot hold NUL, and no name or email needs the other controls. Nor the overrides of the
// direction of writing, which make what follows them on a page read backwards; scripts written from right
// to left need none.
const noControls = /^[^\p{Cc}\u202A-\u202E\u2066-\u2069]*$/u;

/** A name without one could be neither seen nor clicked. */
const visible = /[^\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/u;

/**
 * An email as it is stored and as mail is sent to it: NFKC first, so that a look-alike "＠" or a
 * full-width letter cannot pass for another email, then trimmed and lower case.
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
      .regex(noControls, "This email has characters that no email can have.")
      .pipe(z.email("Enter an email like name@example.com.")),
  );

export const name = z
  .string("Enter your name.")
  .trim()
  .min(1, "Enter your name.")
  .max(100, "Use at most 100 characters.")
  .regex(visible, "Enter your name.")
  .regex(noControls, "Your name has characters that cannot be shown.");

/** The name that a user gives to a thing of their own. */
export const label = z
  .string("Enter a name.")
  .trim()
  .min(1, "Enter a name.")
  .max(100, "Use at most 100 characters.")
  .regex(visible, "Enter a name.")
  .regex(noControls, "This name has characters that cannot be shown.");

/** The name of a team. It has to fit the switcher, and stands in mails. */
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

/** A code of an authenticator app, or a recovery code. lib/auth finds out which, and whether it is right. */
export const code = z
  .string("Enter the code.")
  .trim()
  .min(1, "Enter the code.")
  .max(100, "This code is too long.")
  .meta({ secret: true });

/** What a browser's passkey answered, as JSON. Whether it is right, lib/auth finds out. */
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

/** The secret of a mailed link, in a form's hidden field. Whether it works, the redeemer finds out. */
export const token = z.string("This link is incomplete.").max(200).meta({ secret: true });

/** Which team a form is about, in its hidden field. `requireTeam` finds out whether its user is a member. */
export const team = z.string("This form is incomplete.").max(100);

/** The public handle of a row, as it stands in a form's hidden field. */
export const id = z.uuid("This is not a valid id.");
