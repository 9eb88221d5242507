"use server";

import type { Route } from "next";
import { redirect } from "next/navigation";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { findCustomer } from "@/lib/billing/customers";
import * as gifts from "@/lib/billing/gifts";
import { isPaidPlan } from "@/lib/billing/plans";
import { billingProvider } from "@/lib/billing/stripe";
import { syncCustomer } from "@/lib/billing/sync";
import { database } from "@/lib/db/client";
import { id } from "@/lib/fields";
import { type FormState, formOf, readForm, typedValues } from "@/lib/form";
import { consume } from "@/lib/rate-limits";
import { requireSameOrigin } from "@/lib/web/request";
import { requireAdmin } from "@/lib/web/sudo";
import { urlFor } from "../../../search-params";

const naming = z.object({ id });

const giving = z.object({
  id,
  plan: z.string().refine(isPaidPlan, "Choose a plan from the list."),
  until: z.iso
    .date("Choose a day.")
    .refine((day) => day >= inDays(0), "Choose today or a later day.")
    .refine((day) => day <= inDays(3660), "Choose a day in the next ten years."),
});

export async function givePlan(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const values = typedValues(giving, form);
  const session = await requireAdmin(teamPath(form), { form: "give-plan", values });
  const read = readForm(giving, form);
  if (!read.ok) {
    if (read.state.errors?.id) redirect("/admin/teams?notice=team-gone");
    return read.state;
  }
  const taken = await consume(database(), "administerPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter), values };

  const { id, plan, until: lastDay } = read.data;
  const given = await gifts.givePlan(database(), session, id, { plan, lastDay });
  redirect(teamPath(form, given.ok ? "plan-given" : given.reason));
}

export async function takePlanBack(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireAdmin(teamPath(form, "confirmed"), {
    form: "take-plan-back",
    values: {},
  });
  const read = readForm(naming, form);
  if (!read.ok) redirect("/admin/teams?notice=team-gone");
  const taken = await consume(database(), "administerPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const back = await gifts.takePlanBack(database(), session, read.data.id);
  redirect(teamPath(form, back.ok ? "plan-taken-back" : back.reason));
}

/** Fetches the state of the team's customer now, in case a webhook did not arrive. */
export async function syncTeam(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireAdmin(teamPath(form, "confirmed"), { form: "sync", values: {} });
  const read = readForm(naming, form);
  if (!read.ok) redirect("/admin/teams?notice=team-gone");
  const taken = await consume(database(), "administerPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const [provider, customer] = [billingProvider(), await findCustomer(database(), read.data.id)];
  if (!provider || !customer) redirect(teamPath(form, "no-customer"));
  try {
    await syncCustomer(database(), provider, customer);
  } catch (error) {
    console.error("Billing:", error instanceof Error ? error.message : error);
    return { message: "The payment provider does not answer. Try again in a few minutes." };
  }
  redirect(teamPath(form, "synced"));
}

function teamPath(form: FormData, notice?: string): Route {
  return urlFor(`/admin/teams/${encodeURIComponent(`${formOf(form).get("id")}`)}`, { notice });
}

/** Returns the day in `days` days (UTC), in the format of a date field. */
function inDays(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
}
