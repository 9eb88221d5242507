import { compose, type Mail } from "@/lib/mail/layout";
import { plainName } from "@/lib/plain-name";

/*
 * Every mail, a function each. Plain text is written, HTML is made from it: one source, no template
 * engine, nothing that a mail client could strip. What a user typed passes through `plainName` first.
 */

/** The link of a new sign-up; `link` is the only secret in it. */
export function signUpMail(to: string, link: string): Mail {
  return compose(to, "Finish creating your account", [
    "Someone, hopefully you, asked to create a Latchkey account with this address.",
    "Open this link to choose your name and password. It works once, for 24 hours.",
    { label: "Create your account", link },
    "If it was not you, there is nothing to do: without the link no account is created.",
  ]);
}

/** To an address that asked to sign up and has an account: the page could not say so. */
export function accountExistsMail(to: string, loginLink: string): Mail {
  return compose(to, "You already have an account", [
    "Someone, hopefully you, tried to create a Latchkey account with this address. You have one already.",
    { label: "Log in", link: loginLink },
    "If it was not you, there is nothing to do: nothing about your account has changed.",
  ]);
}

export function passwordResetMail(to: string, link: string, by?: "administrator"): Mail {
  return compose(to, "Choose a new password", [
    by === "administrator"
      ? "An administrator of Latchkey sent you this, so that you can choose a new password for the account with this address."
      : "Someone, hopefully you, forgot the password of the Latchkey account with this address.",
    "Open this link to choose a new one. It works once, for 30 minutes. Every device is logged out then.",
    { label: "Choose a new password", link },
    by === "administrator"
      ? "If you do not want one, there is nothing to do: your password stays as it is."
      : "If it was not you, there is nothing to do: your password stays as it is.",
  ]);
}

/** Asked for at the login page, after too many wrong passwords from browsers that are not known. */
export function confirmBrowserMail(to: string, link: string): Mail {
  return compose(to, "Confirm your browser", [
    "Someone, hopefully you, wants to log in to your Latchkey account. There were too many wrong passwords for it, so a browser that has not logged in before needs this link first.",
    "Open it in the browser that you want to log in with. It works once, for 30 minutes. You still need your password.",
    { label: "Confirm this browser", link },
    "If it was not you, do not open it. Your password stays as it is, and your own browsers can log in as before.",
  ]);
}

/** Tells the owner, who may not have been the one. */
export function passwordChangedMail(to: string, visit: Visit, resetLink: string): Mail {
  return compose(to, "Your password was changed", [
    `The password of your Latchkey account was changed ${described(visit)}. All other devices are logged out.`,
    "If it was you, there is nothing to do. If it was not, choose a new password now:",
    { label: "Take your account back", link: resetLink },
  ]);
}

/**
 * To the new address, which becomes the account's when the link is opened and confirmed. It may be a
 * stranger's, so nothing in it is chosen by who asked: a name could be an advertisement.
 */
export function emailChangeMail(to: string, link: string): Mail {
  return compose(to, "Confirm your new address", [
    "Someone, hopefully you, asked to use this address for a Latchkey account.",
    "Open this link to confirm. It works once, for an hour.",
    { label: "Confirm this address", link },
    "If you do not know of this, there is nothing to do: nothing changes without the link.",
  ]);
}

/** To a new address that another account has: the page could not say so. */
export function emailTakenMail(to: string): Mail {
  return compose(to, "This address already has an account", [
    "Someone, hopefully you, asked to use this address for a Latchkey account. It belongs to another account already, so nothing has changed.",
    "To use it there, first change or delete the account that has it.",
  ]);
}

/** To the old address: the only one that an attacker cannot have changed. */
export function emailChangedMail(to: string, visit: Visit, restoreLink: string): Mail {
  return compose(to, "The address of your account was changed", [
    `Your Latchkey account uses another address now. It was changed ${described(visit)}.`,
    "If it was you, there is nothing to do. If it was not, take it back within 7 days: your account returns to this email, every device is logged out, and you get a link to set a new password.",
    { label: "Take it back", link: restoreLink },
  ]);
}

export function newDeviceMail(to: string, visit: Visit, notMeLink: string): Mail {
  return compose(to, "New login to your account", [
    `Your Latchkey account was logged in to from a device we have not seen before: ${described(visit)}.`,
    "If it was you, there is nothing to do. If it was not, someone else knows your password. This link takes all their access away and sends you a link to set a new password:",
    { label: "This was not me", link: notMeLink },
  ]);
}

/** `key` is the name that its creator typed, who may be an attacker. */
export function apiKeyCreatedMail(to: string, key: string, visit: Visit, keysPage: string): Mail {
  const name = plainName(key);
  return compose(to, "An API key was created", [
    `An API key${name && ` named “${name}”`} was created for your Latchkey account ${described(visit)}.`,
    "If it was you, there is nothing to do. If it was not, revoke it, and change your password:",
    { label: "Your API keys", link: keysPage },
  ]);
}

/** A token that was used up came back: somebody else has a copy. */
export function refreshTokenReusedMail(to: string, visit: Visit, resetLink: string): Mail {
  return compose(to, "An app was logged out to be safe", [
    `An app that was logged in to your Latchkey account showed a token that had been used before, ${described(visit)}. That happens when somebody else has a copy of it, so the app is logged out on its device.`,
    "Log in again there. If you do not know this app, or it happens again, choose a new password: that logs out every device.",
    { label: "Choose a new password", link: resetLink },
  ]);
}

export function roleChangedMail(to: string, role: "user" | "admin"): Mail {
  return compose(to, "Your role was changed", [
    role === "admin"
      ? "You are an administrator of Latchkey now. The administration is in the menu at the top of every page, and asks for your password once more before it opens."
      : "You are not an administrator of Latchkey any more. Your account stays as it is.",
    "If you did not expect this, answer this mail.",
  ]);
}

/** The reason stays with the administrators; so whoever asks for it must reach one. */
export function suspendedMail(to: string): Mail {
  return compose(to, "Your account is suspended", [
    "An administrator suspended your Latchkey account. Every device and every app is logged out, and API keys are revoked. Nothing in your account was deleted.",
    "If you think that this is a mistake, or want to know why, answer this mail.",
  ]);
}

export function reinstatedMail(to: string, loginLink: string): Mail {
  return compose(to, "Your account is open again", [
    "Your Latchkey account is not suspended any more. You can log in with your password, as before.",
    { label: "Log in", link: loginLink },
    "API keys and the logins of your devices ended with the suspension. Make and log in again what you still need.",
  ]);
}

export function loggedOutMail(to: string, devices: "one" | "all", loginLink: string): Mail {
  return compose(to, devices === "all" ? "You were logged out" : "A device was logged out", [
    devices === "all"
      ? "An administrator logged your Latchkey account out on every device and in every app."
      : "An administrator logged one of your devices out of your Latchkey account.",
    "Your password stays as it is. You can log in again:",
    { label: "Log in", link: loginLink },
  ]);
}

export function farewellMail(to: string, name: string): Mail {
  const shown = plainName(name);
  return compose(to, "Your account is deleted", [
    `Goodbye${shown && `, ${shown}`}. Your Latchkey account and everything in it is deleted, as you asked. No copy is kept.`,
  ]);
}

/** When something happened, and what is known of where: each line as a person would say it. */
export type Visit = { at: Date; device: string; ip: string | null };

const moment = new Intl.DateTimeFormat("en-GB", {
  dateStyle: "long",
  timeStyle: "short",
  timeZone: "UTC",
});

function described({ at, device, ip }: Visit): string {
  return `on ${moment.format(at)} (UTC) from ${device}${ip ? `, address ${ip}` : ""}`;
}
