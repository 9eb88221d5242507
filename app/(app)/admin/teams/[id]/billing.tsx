import { Field, Select } from "@/app/_ui/field";
import { Form, Submit } from "@/app/_ui/form";
import { Section } from "@/app/_ui/page";
import { Day } from "@/app/_ui/time";
import { findCustomer } from "@/lib/billing/customers";
import { billingIsOn } from "@/lib/billing/entitlements";
import { type BilledSubscription, getBilling } from "@/lib/billing/overview";
import { isPaidPlan, plans, trialPlan } from "@/lib/billing/plans";
import { database } from "@/lib/db/client";
import { draft } from "@/lib/web/drafts";
import { givePlan, syncTeam, takePlanBack } from "./billing-actions";

/** Why the team has its plan, and what an administrator can do. Empty if billing is off. */
export async function Billing({ team }: { team: string }) {
  if (!billingIsOn()) return null;
  const [billing, customer] = [
    await getBilling(database(), team),
    await findCustomer(database(), team),
  ];
  const { subscription, trialEndsAt, compedPlan, compedUntil } = billing;
  return (
    <>
      <Section title="Billing">
        <dl className="grid gap-3 text-sm">
          <Line label="Subscription">
            {subscription ? <Subscription {...subscription} /> : "None"}
          </Line>
          <Line label="Trial">
            {trialEndsAt ? <Until at={trialEndsAt} plan={plans[trialPlan].name} /> : "None"}
          </Line>
          <Line label="Given plan">
            {compedPlan ? <Until at={compedUntil} plan={plans[compedPlan].name} /> : "None"}
          </Line>
          <Line label="Customer">
            {customer ? <code className="font-mono wrap-anywhere">{customer}</code> : "None yet"}
          </Line>
        </dl>
        {customer && (
          <Form action={syncTeam} className="mt-4 grid justify-items-start gap-4">
            <input type="hidden" name="id" value={team} />
            <p className="text-sm text-muted">
              Changes at the payment provider arrive automatically, within a day.
            </p>
            <Submit className="button">Look again</Submit>
          </Form>
        )}
      </Section>
      <GivePlan team={team} given={compedPlan !== null} />
    </>
  );
}

async function GivePlan({ team, given }: { team: string; given: boolean }) {
  const kept = await draft("give-plan");
  const sold = Object.entries(plans).filter(([plan]) => isPaidPlan(plan));
  return (
    <Section
      title="Give a plan"
      description="The team pays nothing for it, and its owners are told by email. A subscription of the team continues, is still charged, and takes precedence."
    >
      <Form
        action={givePlan}
        draft={kept?.values.id === team ? kept : undefined}
        className="grid max-w-md gap-4"
      >
        <input type="hidden" name="id" value={team} />
        <Select
          name="plan"
          label="Plan"
          options={Object.fromEntries(sold.map(([plan, { name }]) => [plan, name]))}
          defaultValue={trialPlan}
        />
        <Field name="until" type="date" label="Until the end of" hint="A date, in UTC." />
        <Submit className="button justify-self-start">
          {given ? "Change the given plan" : "Give the plan"}
        </Submit>
      </Form>
      {given && (
        <Form action={takePlanBack} className="mt-4">
          <input type="hidden" name="id" value={team} />
          <Submit className="button-danger">Take the given plan back</Submit>
        </Form>
      )}
    </Section>
  );
}

function Subscription({ plan, status, seats, cancelAt, currentPeriodEnd }: BilledSubscription) {
  const end = cancelAt ?? currentPeriodEnd;
  return (
    <>
      {plan ? plans[plan].name : "A plan that is no longer sold"}, {words[status]}, {seats}{" "}
      {seats === 1 ? "seat" : "seats"}
      {end && (
        <>
          , {cancelAt ? "ends on" : "renews on"} <Day at={end} />
        </>
      )}
    </>
  );
}

const words: Record<BilledSubscription["status"], string> = {
  incomplete: "not paid yet",
  trialing: "on trial",
  active: "paid",
  past_due: "payment failed",
  unpaid: "unpaid",
  ended: "ended",
};

function Until({ plan, at }: { plan: string; at: Date | null }) {
  return (
    <>
      {plan}
      {at && (
        <>
          {" "}
          until <Day at={at} />
        </>
      )}
    </>
  );
}

function Line({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <div className="grid gap-x-6 gap-y-0.5 sm:grid-cols-[8rem_1fr]">
      <dt className="text-muted">{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}
