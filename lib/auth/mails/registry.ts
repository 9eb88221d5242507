import type { z } from "zod";
import { apiKeyCreated } from "./api-key-created";
import { confirmBrowser } from "./confirm-browser";
import { connectedAccountChanged } from "./connected-account-changed";
import { emailChange } from "./email-change";
import { emailChanged } from "./email-changed";
import { farewell } from "./farewell";
import { loggedOut } from "./logged-out";
import { newDevice } from "./new-device";
import { passkeyChanged } from "./passkey-changed";
import { passkeysRemoved } from "./passkeys-removed";
import { passwordChanged } from "./password-changed";
import { passwordPresence } from "./password-presence";
import { passwordReset } from "./password-reset";
import { refreshTokenReused } from "./refresh-token-reused";
import { reinstated } from "./reinstated";
import { roleChanged } from "./role-changed";
import { signUp } from "./sign-up";
import { suspended } from "./suspended";
import { twoFactorChanged } from "./two-factor-changed";
import { twoFactorRemoved } from "./two-factor-removed";
import { wrongCodes } from "./wrong-codes";

/*
 * Lists every mail that a job can name. A new mail is a file beside this one and a line here. Its
 * payload's type follows from that line, and tests/lib/auth/mails/registry.test.ts tests it with
 * all others.
 */

export const mails = [
  apiKeyCreated,
  confirmBrowser,
  connectedAccountChanged,
  emailChange,
  emailChanged,
  farewell,
  loggedOut,
  newDevice,
  passkeyChanged,
  passkeysRemoved,
  passwordChanged,
  passwordPresence,
  passwordReset,
  refreshTokenReused,
  reinstated,
  roleChanged,
  signUp,
  suspended,
  twoFactorChanged,
  twoFactorRemoved,
  wrongCodes,
] as const;

type Mails = (typeof mails)[number];

export type MailName = Mails["name"];

/** The payload of a job for this mail. */
export type MailPayload<Name extends MailName> = z.infer<Extract<Mails, { name: Name }>["payload"]>;

/** A job's payload as stored in the queue. */
export type MailJob = { [Name in MailName]: { mail: Name } & MailPayload<Name> }[MailName];
