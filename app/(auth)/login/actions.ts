"use server";

import type { Route } from "next";
import { redirect } from "next/navigation";
import { after } from "next/server";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { recordFailure } from "@/lib/audit";
import { consumeLogIn, resetLogInLimits } from "@/lib/auth/login/limits";
import * as auth from "@/lib/auth/login/log-in";
import { database } from "@/lib/db/client";
import { checkbox, email, password } from "@/lib/fields";
import { type FormState, readForm, typedValues } from "@/lib/form";
import { safeNext } from "@/lib/http";
import { product } from "@/lib/product";
import {
  currentDevice,
  presentedPending,
  presentedToken,
  rememberDevice,
  setPendingCookie,
  setSessionCookie,
} from "@/lib/web/cookies";
import { currentClient, redirectIfUnreachable, requireSameOrigin } from "@/lib/web/request";

const schema = z.object({ email, password, remember: checkbox, next: z.string().optional() });

const refusals = {
  incorrect: "Email or password is incorrect.",
  suspended: `This account is suspended. Write to ${product.supportEmail} if you think this is a mistake.`,
};

/** The same for every email, with or without an account. */
const unconfirmed = {
  message:
    "There were too many wrong passwords for this email. Confirm this browser with a link sent to that email, then log in.",
  help: { href: "/confirm-browser", label: "Confirm this browser" },
};

export async function logIn(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const read = readForm(schema, form);
  if (!read.ok) return read.state;
  const { remember: persistent, next, ...credentials } = read.data;
  const values = typedValues(schema, form);

  const client = await currentClient();
  const device = await currentDevice(credentials.email);
  const attempt = { email: credentials.email, ip: client.ip, device };
  const taken = await consumeLogIn(database(), attempt).catch(redirectIfUnreachable);
  if (!taken.ok && taken.reason === "browser-unconfirmed") return { ...unconfirmed, values };
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter), values };

  const result = await auth.logIn(database(), {
    ...credentials,
    persistent,
    presented: await presentedToken(),
    presentedPending: await presentedPending(),
    knownDevice: device !== null,
    client,
  });

  if (!result.ok && result.reason === "incorrect")
    after(() => recordFailure(database(), "log-in-failed", credentials, client));
  if (!result.ok && result.reason === "code-needed") {
    await setPendingCookie(result.pending);
    redirect(`/login/code?next=${encodeURIComponent(safeNext(next))}`);
  }
  if (!result.ok) return { message: refusals[result.reason], values };
  await resetLogInLimits(database(), attempt);
  await setPendingCookie(null);
  await setSessionCookie(result.token, persistent);
  await rememberDevice(result.account);
  redirect(safeNext(next) as Route); // safeNext: a path of this site
}
