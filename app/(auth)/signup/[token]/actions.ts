"use server";

import { redirect } from "next/navigation";
import { z } from "zod";
import {
  redeemSignUp,
  redeemSignUpWithPasskey,
  signingUpWithPasskey,
} from "@/lib/auth/account/sign-up";
import { passwordFaults } from "@/lib/auth/credentials/passwords";
import { database } from "@/lib/db/client";
import { credential, name, password, token } from "@/lib/fields";
import { type FormState, formOf, typedValues } from "@/lib/form";
import {
  presentedToken,
  presentedVisit,
  rememberBrowser,
  setSessionCookie,
} from "@/lib/web/cookies";
import { passkeyChallenge, passkeySite } from "@/lib/web/passkeys";
import { requireSameOrigin } from "@/lib/web/request";
import { readLinkForm } from "../../read-link-form";

// No password if the sign-up includes an account at a provider: see lib/auth/account/sign-up.ts.
const schema = z.object({ token, name, password: password.optional() });

export async function createAccount(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const read = await readLinkForm(schema, form);
  if (!read.ok) return read.state;
  const { client, data } = read;
  const { token: link, ...chosen } = data;
  const values = typedValues(schema, form);

  const presented = await presentedToken();
  const browser = await presentedVisit();
  const result = await redeemSignUp(database(), link, chosen, { presented, browser, client });

  if (!result.ok && result.reason === "password")
    return { errors: { password: passwordFaults[result.fault] }, values };
  if (!result.ok && result.reason === "taken")
    return {
      message: "That account is already connected to another account. Log in with it.",
      ...{ help: { href: "/login", label: "Log in" }, values },
    };
  if (!result.ok)
    return { message: "This link no longer works. Sign up again to get a new one.", values };
  await setSessionCookie(result.token, true);
  await rememberBrowser(result.account);
  redirect("/dashboard");
}

const passkeySchema = z.object({ token, name, credential });

const passkeyRefusals = {
  incorrect: "This passkey was not accepted. Try again.",
  expired: "This took too long. Try again.",
  taken: "This passkey, or the account that you came with, belongs to another account already.",
  "dead-link": "This link no longer works. Sign up again to get a new one.",
};

export async function createAccountWithPasskey(
  _previous: FormState,
  form: FormData,
): Promise<FormState> {
  await requireSameOrigin();
  const read = await readLinkForm(passkeySchema, form);
  const asked = signingUpWithPasskey(`${formOf(form).get("token")}`);
  // Pressing Enter in the name field submits the form without a passkey.
  if (!read.ok) {
    const message = read.state.errors?.credential;
    return { message, ...read.state, passkey: passkeyChallenge(asked) };
  }
  const { token: link, name, credential: answer } = read.data;

  const chosen = { name, answer, site: passkeySite() };
  const [presented, browser] = [await presentedToken(), await presentedVisit()];
  const visit = { presented, browser, client: read.client };
  const result = await redeemSignUpWithPasskey(database(), link, chosen, visit);
  if (!result.ok) {
    const values = typedValues(passkeySchema, form);
    const message = passkeyRefusals[result.reason];
    return { message, values, passkey: passkeyChallenge(asked) };
  }
  await setSessionCookie(result.token, true);
  await rememberBrowser(result.account, true);
  redirect("/dashboard");
}
