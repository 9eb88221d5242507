import { days, minutes } from "@/lib/time";

/* Owns the numbers of billing, each with its reason. Limits and prices are in plans.ts. */

export const billingPolicy = {
  trial: days(14), // long enough to try the product with colleagues
  // After a failed payment. The provider tries the card again meanwhile; half of all customers whose card
  // failed pay within this time.
  grace: days(14),
  reminders: [days(7), days(13)], // after a failed payment, while the grace lasts
  remindBefore: days(3), // the end of a trial: time to decide
  // How long a plan outlives the end of its period where we learn of no renewal: the provider was down, or
  // its webhooks were lost. The nightly job asks before that.
  lease: days(3),
  // The shortest rest of a trial that the provider takes over as a trial of the subscription.
  shortestTrial: days(2),
  checkout: minutes(60), // how long a checkout page can be paid; at least 30 minutes at Stripe
  event: days(30), // how long an event's id is remembered; the provider repeats one for three days
  request: 10_000, // milliseconds that the provider may take to answer
  reconcileFor: days(2), // how long the nightly job syncs a customer after a checkout or the last subscription
  // After a click that leads to the provider: when its state is fetched, whether or not a webhook came.
  syncAfterClick: [minutes(1), minutes(10), minutes(60)],
  updateDelay: 30_000, // milliseconds: many members who join at once are one change of the subscription
} as const;
