import { z } from "zod";
import { lockRecipient, recipient } from "@/lib/auth/mails/recipient";
import { basicPlan, plans, trialPlan } from "@/lib/billing/plans";
import { defineMail, type Words } from "@/lib/mail/define";
import { product } from "@/lib/product";
import { shownName } from "./shown-name";

/*
 * Mail to each owner of a team: a payment failed, or the plan ends, has ended or was given. The
 * provider sends the receipts.
 */

const notices = [
  "payment-failed",
  "payment-failed-reminder",
  "plan-ended",
  "plan-given",
  "second-subscription",
  "trial-ending",
] as const;

export const billing = defineMail("team-billing", {
  payload: {
    ...recipient,
    team: z.string(),
    handle: z.string(),
    notice: z.enum(notices),
    // When the plan ends, if known.
    until: z.string().nullable(),
  },
  words: ({ team, handle, notice, until }): Words => {
    const name = shownName(team);
    const { subject, text } = texts[notice](name, until ? day.format(new Date(until)) : "soon");
    const page = { label: "Billing of the team", path: `/t/${handle}/settings/billing` };
    return { subject, body: [text, nothingIsDeleted, page] };
  },
  render: lockRecipient,
});

const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeZone: "UTC" });

const nothingIsDeleted = `Nothing in the team is deleted, and all members keep their access. A team that has more than the ${plans[basicPlan].name} plan allows cannot add more while on that plan.`;

const texts: Record<
  (typeof notices)[number],
  (team: string, until: string) => { subject: string; text: string }
> = {
  "payment-failed": (team, until) => ({
    subject: `A payment for ${team} failed`,
    text: `A payment for the team “${team}” on ${product.name} failed. The plan stays until ${until}, and we will try the card again. To keep the plan, update the card.`,
  }),
  "payment-failed-reminder": (team, until) => ({
    subject: `${team} loses its plan on ${until}`,
    text: `The payment for the team “${team}” on ${product.name} is still open. Update the card before ${until} to keep the plan.`,
  }),
  "plan-ended": (team) => ({
    subject: `The plan of ${team} has ended`,
    text: `The subscription of the team “${team}” on ${product.name} has ended. The team is on the ${plans[basicPlan].name} plan now.`,
  }),
  "plan-given": (team, until) => ({
    subject: `${team} has been given a plan`,
    text: `We have given the team “${team}” on ${product.name} a plan until ${until}. You pay nothing for it, and it ends by itself. If the team has a subscription, it continues until an owner cancels it.`,
  }),
  "second-subscription": (team) => ({
    subject: `${team} was paid for twice`,
    text: `The team “${team}” on ${product.name} got a second subscription. We ended the newer one at once; the first continues. If you were charged twice, reply to this email, and we will refund you.`,
  }),
  "trial-ending": (team, until) => ({
    subject: `The trial of ${team} ends on ${until}`,
    text: `The team “${team}” on ${product.name} can try the ${plans[trialPlan].name} plan until ${until}. To keep it, choose a plan before then.`,
  }),
};
