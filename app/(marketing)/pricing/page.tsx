import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { countOf, money } from "@/app/_ui/format";
import { Icon } from "@/app/_ui/icon";
import { billingIsOn } from "@/lib/billing/entitlements";
import {
  basicPlan,
  currency,
  isPaidPlan,
  limitsOf,
  type Plan,
  plans,
  priceOf,
  trialPlan,
} from "@/lib/billing/plans";
import { billingPolicy } from "@/lib/billing/policy";
import { product } from "@/lib/product";
import { inWords } from "@/lib/time";

const free = plans[basicPlan].name;
const paid = plans[trialPlan].name;
const trial = inWords(billingPolicy.trial);
const grace = inWords(billingPolicy.grace);

export const metadata: Metadata = {
  title: "Pricing",
  description: `What ${product.name} costs: ${free} for small teams, ${paid} for ${money(priceOf(trialPlan, "month"), currency)} a month for each member.`,
};

export default function PricingPage() {
  if (!billingIsOn()) notFound();
  return (
    <div className="mx-auto grid max-w-5xl gap-12 px-4 py-10 sm:gap-16 sm:px-6 sm:py-16">
      <div className="grid gap-8 sm:gap-10">
        <header className="max-w-prose">
          <h1 className="text-3xl font-semibold tracking-tight text-balance sm:text-4xl">
            Pricing
          </h1>
          <p className="mt-3 text-lg text-pretty text-muted">
            Your first team gets {paid} for {trial}, without a card. Then it continues on {free}, or
            you upgrade.
          </p>
        </header>
        <div className="grid gap-4 sm:gap-6 md:grid-cols-2">
          {planNames.map((plan) => (
            <PlanCard key={plan} plan={plan} />
          ))}
        </div>
      </div>
      <section aria-labelledby="questions" className="border-t border-line pt-10 sm:pt-12">
        <h2 id="questions" className="text-xl font-semibold tracking-tight">
          Questions
        </h2>
        <dl className="mt-6 grid gap-x-12 gap-y-7 md:grid-cols-2">
          {questions.map(({ question, answer }) => (
            <div key={question}>
              <dt className="font-medium">{question}</dt>
              <dd className="mt-1.5 text-sm text-pretty text-muted">{answer}</dd>
            </div>
          ))}
        </dl>
      </section>
    </div>
  );
}

const planNames = Object.keys(plans) as Plan[]; // its keys are exactly those of Plan

function PlanCard({ plan }: { plan: Plan }) {
  const { name } = plans[plan];
  const isPaid = isPaidPlan(plan);
  return (
    <section
      aria-labelledby={plan}
      className={`flex flex-col rounded-lg border bg-surface p-6 sm:p-8 ${isPaid ? "border-accent" : "border-line"}`}
    >
      <h2 id={plan} className="text-lg font-semibold">
        {name}
      </h2>
      <p className="mt-3 flex flex-wrap items-baseline gap-x-2">
        <span className="text-4xl font-semibold tracking-tight">
          {money(isPaid ? priceOf(plan, "month") : 0, currency)}
        </span>
        {isPaid && <span className="text-sm text-muted">a month for each member</span>}
      </p>
      <p className="mt-1.5 text-sm text-muted">
        {isPaid ? yearly(priceOf(plan, "year"), priceOf(plan, "month")) : "For as long as you want"}
      </p>
      <ul className="mt-6 mb-8 grid gap-2.5 text-sm">
        {contentsOf(plan).map((text) => (
          <li key={text} className="flex gap-2.5">
            <Icon name="check" className="mt-0.5 size-4 shrink-0 text-accent" />
            {text}
          </li>
        ))}
      </ul>
      {isPaid ? (
        <a href="/upgrade" className="button-primary mt-auto min-h-11">
          Get {name}
        </a>
      ) : (
        <a href="/signup" className="button mt-auto min-h-11">
          Create an account
        </a>
      )}
    </section>
  );
}

function yearly(year: number, month: number): string {
  const saved = 12 * month - year;
  const less = saved > 0 ? `, ${money(saved, currency)} less` : "";
  return `Or ${money(year, currency)} a year for each member${less}`;
}

function contentsOf(plan: Plan): string[] {
  const { members, projects, keys } = limitsOf(plan);
  return [
    `Up to ${countOf(members, "member")} in a team`,
    projects === null ? "Any number of projects" : `Up to ${countOf(projects, "project")}`,
    `Up to ${countOf(keys, "API key")} of the team`,
    ...(plan === trialPlan ? [`The first ${trial} free for your first team, without a card`] : []),
  ];
}

const questions = [
  {
    question: "What does a team pay for?",
    answer: `A team on ${paid} pays for each of its members. When a member joins or leaves, the number is updated automatically, and the next invoice has the difference, by the day.`,
  },
  {
    question: "What happens when the trial ends?",
    answer: `The team continues on ${free}. Nothing is deleted, and all members keep their access. What is over the limits of ${free} stays, but you cannot add to it. If you upgrade with more than ${inWords(billingPolicy.shortestTrial)} of the trial left, the rest of it stays free.`,
  },
  {
    question: "What happens when a payment fails?",
    answer: `${paid} stays for ${grace}, and the owners of the team get an email at once. Update the card in that time, and nothing changes.`,
  },
  {
    question: "Can I cancel?",
    answer: `At any time, on the team's billing page. ${paid} stays until the end of the period that you paid for. Then the team is on ${free}, and nothing is deleted.`,
  },
];
