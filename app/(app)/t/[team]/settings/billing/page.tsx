import type { Metadata } from "next";
import { Form, Submit } from "@/app/_ui/form";
import { countOf, money } from "@/app/_ui/format";
import { PageHeader, Section } from "@/app/_ui/page";
import { RadioGroup } from "@/app/_ui/radio-group";
import { billingIsOn } from "@/lib/billing/entitlements";
import { type BillingOverview, getBilling } from "@/lib/billing/overview";
import { currency, limitsOf, plans, priceOf, trialPlan } from "@/lib/billing/plans";
import { database } from "@/lib/db/client";
import type { MemberScope } from "@/lib/teams/scope";
import { requireTeam } from "@/lib/web/team";
import { stateOf } from "../../billing-state";
import { lookAgain, manageBilling, upgrade } from "./actions";
import { Invoices } from "./invoices";
import { overLimit, Usage, type Use, useOf } from "./usage";

export const metadata: Metadata = { title: "Billing" };

// After a payment, the page reloads by itself: every two seconds, for a minute.
const looks = 30;

export default async function BillingPage({
  params,
  searchParams,
}: PageProps<"/t/[team]/settings/billing">) {
  const scope = await requireTeam((await params).team, "/settings/billing", "manage-billing");
  const { checkout, look } = await searchParams;
  const [billing, use] = [
    await getBilling(database(), scope.teamId),
    await useOf(database(), scope),
  ];
  const waiting = checkout === "done" && billing.isCustomer && billing.subscription === null;
  return (
    <>
      <PageHeader title="Billing" />
      {waiting ? (
        <Waiting scope={scope} look={Number(look) || 1} />
      ) : (
        <CurrentPlan scope={scope} billing={billing} use={use} />
      )}
      {billingIsOn() && !billing.subscription && !waiting && <Upgrade scope={scope} use={use} />}
      <Usage scope={scope} use={use} />
      {billing.isCustomer && <Invoices teamId={scope.teamId} />}
    </>
  );
}

function Waiting({ scope, look }: { scope: MemberScope; look: number }) {
  const next = `?checkout=done&look=${look + 1}`;
  return (
    <Section title="Thank you">
      {look < looks ? (
        <>
          <meta httpEquiv="refresh" content={`2; url=${next}`} />
          <p role="status" className="text-sm">
            The payment is on its way to us. This page looks again by itself.
          </p>
        </>
      ) : (
        <Form action={lookAgain} className="grid justify-items-start gap-4">
          <TeamField scope={scope} />
          <p className="text-sm">The payment provider has not confirmed the payment yet.</p>
          <Submit className="button">Look again</Submit>
        </Form>
      )}
    </Section>
  );
}

function CurrentPlan({
  scope,
  billing,
  use,
}: {
  scope: MemberScope;
  billing: BillingOverview;
  use: Use;
}) {
  const state = stateOf(scope.plan, billing);
  return (
    <Section title={`${plans[scope.plan].name} plan`} tone={state.urgent ? "danger" : undefined}>
      <div className="grid gap-2 text-sm">
        {[...state.sentences, ...overLimit(scope, use)].map((sentence) => (
          <p key={sentence}>{sentence}</p>
        ))}
      </div>
      {billing.isCustomer && (
        <Form action={manageBilling} className="mt-4 grid justify-items-start gap-4">
          <TeamField scope={scope} />
          <Submit className={state.urgent ? "button-primary" : "button"}>{state.button}</Submit>
        </Form>
      )}
    </Section>
  );
}

function Upgrade({ scope, use }: { scope: MemberScope; use: Use }) {
  const { name } = plans[trialPlan];
  const option = (interval: "month" | "year", label: string) => {
    const each = priceOf(trialPlan, interval);
    return {
      label: `${label}: ${money(each, currency)} for each member`,
      hint: `${countOf(use.members, "member")} now: ${money(each * use.members, currency)} a ${interval}`,
    };
  };
  return (
    <Section
      title={`Upgrade to ${name}`}
      description={`Up to ${limitsOf(trialPlan).members} members and any number of projects. You pay for the members you have; the number is updated automatically. You can cancel at any time.`}
    >
      <Form action={upgrade} className="grid justify-items-start gap-5">
        <TeamField scope={scope} />
        <input type="hidden" name="plan" value={trialPlan} />
        <RadioGroup
          name="interval"
          label="How often to pay"
          defaultValue="month"
          options={{ month: option("month", "Monthly"), year: option("year", "Yearly") }}
        />
        <Submit>Upgrade to {name}</Submit>
      </Form>
    </Section>
  );
}

function TeamField({ scope }: { scope: MemberScope }) {
  return <input type="hidden" name="team" value={scope.handle} />;
}
