"use server";

import type { Route } from "next";
import { redirect } from "next/navigation";
import { z } from "zod";
import { signingUpWithPasskey } from "@/lib/auth/account/sign-up";
import { passwordFaults } from "@/lib/auth/credentials/passwords";
import { isToken } from "@/lib/auth/secrets";
import { database } from "@/lib/db/client";
import { credential, name, password, token } from "@/lib/fields";
import { type FormState, formOf, typedValues } from "@/lib/form";
import * as joining from "@/lib/teams/joining";
import { presentedToken, rememberBrowser, setSessionCookie } from "@/lib/web/cookies";
import { passkeyChallenge, passkeySite } from "@/lib/web/passkeys";
import { requireSameOrigin } from "@/lib/web/request";
import { requireSession } from "@/lib/web/session";
import { teamPath } from "@/lib/web/team";
import { readLinkForm } from "../../read-link-form";

const refusals = {
  "dead-link": "This invitation does not work any more. Ask for a new one.",
  "other-user": "This invitation is for another email. Log out, then open the link again.",
  full: "The team has no free seat. When it has one, open this link again.",
  "has-account": "An account with this email already exists.",
};

const accepting = z.object({ token });

export async function acceptInvitation(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSession(invitationPath(formOf(form).get("token")));
  const read = await readLinkForm(accepting, form);
  if (!read.ok) return read.state;
  const { token } = read.data;

  const accepted = await joining.acceptInvitation(database(), session, { token });
  if (accepted.ok) redirect(teamPath(accepted.handle));
  if (accepted.reason === "session-ended") redirect(logInPath(token));
  return { message: refusals[accepted.reason] };
}

const joiningNew = z.object({ token, name, password });

export async function createAccountAndJoin(
  _previous: FormState,
  form: FormData,
): Promise<FormState> {
  await requireSameOrigin();
  const read = await readLinkForm(joiningNew, form);
  if (!read.ok) return read.state;
  const { client, data } = read;
  const { token, ...chosen } = data;
  const values = typedValues(joiningNew, form);

  const presented = await presentedToken();
  const result = await joining.redeemInvitation(database(), token, chosen, { presented, client });
  if (!result.ok && result.reason === "password")
    return { errors: { password: passwordFaults[result.fault] }, values };
  if (!result.ok) return { ...refused(result.reason, token), values };
  await setSessionCookie(result.token, true);
  await rememberBrowser(result.account);
  redirect(teamPath(result.handle));
}

const joiningByPasskey = z.object({ token, name, credential });

const passkeyRefusals = {
  incorrect: "This passkey was not accepted. Try again.",
  expired: "This took too long. Try again.",
  taken: "This passkey belongs to another account already.",
};

export async function createAccountAndJoinWithPasskey(
  _previous: FormState,
  form: FormData,
): Promise<FormState> {
  await requireSameOrigin();
  const read = await readLinkForm(joiningByPasskey, form);
  const asked = signingUpWithPasskey(`${formOf(form).get("token")}`);
  // Pressing Enter in the name field submits the form without a passkey.
  if (!read.ok) {
    const message = read.state.errors?.credential;
    return { message, ...read.state, passkey: passkeyChallenge(asked) };
  }
  const { token, name, credential: answer } = read.data;

  const visit = { presented: await presentedToken(), client: read.client };
  const chosen = { name, answer, site: passkeySite() };
  const result = await joining.redeemInvitationWithPasskey(database(), token, chosen, visit);
  if (!result.ok) {
    const { reason } = result;
    const isOfPasskey = reason === "incorrect" || reason === "expired" || reason === "taken";
    const state = isOfPasskey ? { message: passkeyRefusals[reason] } : refused(reason, token);
    return {
      ...{ ...state, values: typedValues(joiningByPasskey, form) },
      passkey: passkeyChallenge(asked),
    };
  }
  await setSessionCookie(result.token, true);
  await rememberBrowser(result.account, true);
  redirect(teamPath(result.handle));
}

function refused(reason: keyof typeof refusals, token: string): FormState {
  const help = { href: logInPath(token), label: "Log in and join" };
  return { message: refusals[reason], ...(reason === "has-account" && { help }) };
}

/** Returns the path of the invitation, to which a login returns. */
function invitationPath(token: unknown): Route {
  return isToken(token) ? (`/invitations/${token}` as Route) : "/teams";
}

function logInPath(token: string): Route {
  return `/login?next=${encodeURIComponent(invitationPath(token))}`;
}
