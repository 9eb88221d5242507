"use server";

import type { Route } from "next";
import { redirect } from "next/navigation";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { openPortal, startCheckout } from "@/lib/billing/checkout";
import { findCustomer } from "@/lib/billing/customers";
import { ownOrHostedPage } from "@/lib/billing/origins";
import { intervals, isPaidPlan } from "@/lib/billing/plans";
import type { Provider } from "@/lib/billing/provider";
import { billingProvider } from "@/lib/billing/stripe";
import { syncCustomer } from "@/lib/billing/sync";
import { database } from "@/lib/db/client";
import { env } from "@/lib/env";
import { team } from "@/lib/fields";
import { type FormState, formOf, readForm } from "@/lib/form";
import { consume } from "@/lib/rate-limits";
import type { MemberScope } from "@/lib/teams/scope";
import { requireSameOrigin } from "@/lib/web/request";
import { requireTeam, teamPath } from "@/lib/web/team";

const below = "/settings/billing";

const unanswered =
  "The payment provider does not answer. Nothing was bought or changed. Try again in a few minutes.";
const off = "Nothing can be bought here.";

const naming = z.object({ team });

const ordering = z.object({
  team,
  plan: z.string().refine(isPaidPlan, "Choose a plan."),
  interval: z.enum(intervals, "Choose monthly or yearly."),
});

/** Redirects to the provider's checkout. The browser does not supply the price or the quantity. */
export async function upgrade(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const scope = await requireTeam(formOf(form).get("team"), below, "manage-billing");
  const read = readForm(ordering, form);
  if (!read.ok) return read.state;
  const { session, teamId } = scope;
  const taken = await consume(database(), "billingPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const { plan, interval } = read.data;
  const of = { teamId, actor: session };
  return leadTo(scope, async (provider, back) => {
    const chosen = { plan, interval, back };
    const started = await startCheckout(database(), provider, of, chosen);
    // The billing page shows what the team has.
    return started.ok ? started.url : back;
  });
}

/** Redirects to the provider's page for the card, the invoices and the end of the subscription. */
export async function manageBilling(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const scope = await requireTeam(formOf(form).get("team"), below, "manage-billing");
  const read = readForm(naming, form);
  if (!read.ok) return { message: "This form is incomplete. Reload the page." };
  const taken = await consume(database(), "billingPerUser", scope.session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };
  const of = { teamId: scope.teamId, actor: scope.session };
  return leadTo(
    scope,
    async (provider, back) => (await openPortal(database(), provider, of, back)) ?? back,
  );
}

/** Asks the provider now, in case a webhook did not arrive. */
export async function lookAgain(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const scope = await requireTeam(formOf(form).get("team"), below, "manage-billing");
  const read = readForm(naming, form);
  if (!read.ok) return { message: "This form is incomplete. Reload the page." };
  const taken = await consume(database(), "billingPerUser", scope.session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };
  return leadTo(scope, async (provider, back) => {
    const customer = await findCustomer(database(), scope.teamId);
    if (customer) await syncCustomer(database(), provider, customer);
    return `${back}?checkout=done`;
  });
}

/** Redirects to the URL that `ask` returns. If the provider does not respond, returns a message. */
async function leadTo(
  { handle }: MemberScope,
  ask: (provider: Provider, back: string) => Promise<string>,
): Promise<FormState> {
  const provider = billingProvider();
  if (!provider) return { message: off };
  const { APP_URL } = env();
  let url: string;
  try {
    url = ownOrHostedPage(await ask(provider, APP_URL + teamPath(handle, below)), APP_URL);
  } catch (error) {
    console.error("Billing:", error instanceof Error ? error.message : error);
    return { message: unanswered };
  }
  redirect(url as Route);
}
