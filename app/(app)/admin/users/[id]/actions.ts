"use server";

import type { Route } from "next";
import { redirect } from "next/navigation";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import * as administration from "@/lib/admin/actions";
import { roles } from "@/lib/auth/roles";
import { database } from "@/lib/db/client";
import { id, reason } from "@/lib/fields";
import { type FormState, formOf, readForm, typedValues } from "@/lib/form";
import { consume, consumeMail } from "@/lib/rate-limits";
import { requireSameOrigin } from "@/lib/web/request";
import { requireAdmin } from "@/lib/web/sudo";
import { urlFor } from "../../../search-params";

const target = z.object({ user: id });
const roleChange = z.object({ user: id, role: z.enum(roles, "Choose a role from the list.") });
const suspension = z.object({ user: id, reason });
const device = z.object({ user: id, id });

export async function changeRole(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const values = typedValues(roleChange, form);
  const session = await requireAdmin(userPath(form), { form: "change-role", values });
  const read = readForm(roleChange, form);
  if (!read.ok) return withoutHiddenFields(read.state);
  const taken = await consume(database(), "administerPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter), values };

  const { user, role } = read.data;
  const result = await administration.changeRole(database(), session, user, role);

  return redirectWith(user, result, "role-changed");
}

export async function suspendUser(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const values = typedValues(suspension, form);
  const session = await requireAdmin(userPath(form), { form: "suspend", values });
  const read = readForm(suspension, form);
  if (!read.ok) return withoutHiddenFields(read.state);
  const taken = await consume(database(), "administerPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter), values };

  const { user, reason } = read.data;
  const result = await administration.suspend(database(), session, user, reason);

  return redirectWith(user, result, "suspended");
}

export async function reinstateUser(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireAdmin(userPath(form, "confirmed"), {
    form: "reinstate",
    values: {},
  });
  const read = readForm(target, form);
  if (!read.ok) return withoutHiddenFields(read.state);
  const taken = await consume(database(), "administerPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const result = await administration.reinstate(database(), session, read.data.user);

  return redirectWith(read.data.user, result, "reinstated");
}

export async function logOutUserDevice(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireAdmin(userPath(form, "confirmed"), { form: "log-out", values: {} });
  const read = readForm(device, form);
  if (!read.ok) return withoutHiddenFields(read.state);
  const taken = await consume(database(), "administerPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const { user, id } = read.data;
  const result = await administration.logOutDevice(database(), session, user, id);

  return redirectWith(user, result, "device-logged-out");
}

export async function logOutUser(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireAdmin(userPath(form, "confirmed"), { form: "log-out", values: {} });
  const read = readForm(target, form);
  if (!read.ok) return withoutHiddenFields(read.state);
  const taken = await consume(database(), "administerPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const result = await administration.logOutEverywhere(database(), session, read.data.user);

  return redirectWith(read.data.user, result, "logged-out");
}

export async function sendUserResetLink(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireAdmin(userPath(form, "confirmed"), { form: "reset", values: {} });
  const read = readForm(target, form);
  if (!read.ok) return withoutHiddenFields(read.state);
  const { user } = read.data;
  const taken = await consumeMail(database(), "reset-by-administrator", user, session.client.ip);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const result = await administration.sendReset(database(), session, user);

  return redirectWith(user, result, "reset-sent");
}

export async function turnOffUserTwoFactor(
  _previous: FormState,
  form: FormData,
): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireAdmin(userPath(form, "confirmed"), {
    form: "two-factor-off",
    values: {},
  });
  const read = readForm(target, form);
  if (!read.ok) return withoutHiddenFields(read.state);
  const taken = await consume(database(), "administerPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const result = await administration.turnOffTwoFactor(database(), session, read.data.user);

  return redirectWith(read.data.user, result, "two-factor-off");
}

export async function removeUserPasskeys(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireAdmin(userPath(form, "confirmed"), {
    form: "remove-passkeys",
    values: {},
  });
  const read = readForm(target, form);
  if (!read.ok) return withoutHiddenFields(read.state);
  const taken = await consume(database(), "administerPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const result = await administration.removePasskeys(database(), session, read.data.user);

  return redirectWith(read.data.user, result, "passkeys-removed");
}

/** Returns the page to go back to after confirming. */
function userPath(form: FormData, notice?: string): Route {
  const user = id.safeParse(formOf(form).get("user"));
  if (!user.success) return "/admin/users";
  return urlFor(`/admin/users/${user.data}`, { notice });
}

/** Replaces the errors of hidden fields by one message, because no visible field can show them. */
function withoutHiddenFields(state: FormState): FormState {
  const { user, id, ...errors } = state.errors ?? {};
  if (!user && !id) return state;
  return {
    ...state,
    errors,
    message: "This form is incomplete. Reload the page.",
  };
}

/** Always redirects, so that the page shows the state after the action. */
function redirectWith(user: string, result: administration.AdminResult, done: string): never {
  if (result.ok) redirect(`/admin/users/${user}?notice=${done}`);
  if (result.reason === "gone" && done !== "device-logged-out")
    redirect("/admin/users?notice=user-gone");
  redirect(`/admin/users/${user}?notice=${result.reason}`);
}
