import { days, minutes } from "@/lib/time";

/* Constants of billing, each with its reason. Limits and prices are in plans.ts. */

export const billingPolicy = {
  trial: days(14), // long enough to try the product with colleagues
  // How long the plan stays after a failed payment. The provider retries the card meanwhile; half
  // of all customers whose card failed pay within this time.
  grace: days(14),
  reminders: [days(7), days(13)], // after a failed payment, while the grace lasts
  remindBefore: days(3), // the end of a trial: time to decide
  // How long a plan outlives the end of its period if we learn of no renewal, because the provider
  // was down or its webhooks were lost. The nightly job asks the provider before that.
  lease: days(3),
  // The shortest remaining trial that the provider accepts as a trial of the subscription.
  shortestTrial: days(2),
  checkout: minutes(60), // how long a checkout page can be paid; at Stripe at least 30 minutes
  event: days(30), // how long an event's id is kept; the provider repeats an event for three days
  request: 10_000, // milliseconds that the provider may take to answer
  reconcileFor: days(2), // how long the nightly job syncs after a checkout or a subscription's end
  // When the state is fetched after a click that leads to the provider, with or without a webhook.
  syncAfterClick: [minutes(1), minutes(10), minutes(60)],
  updateDelay: 30_000, // milliseconds; members who join together cause one subscription change
} as const;
