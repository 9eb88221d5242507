import { sql } from "drizzle-orm";
import {
  check,
  index,
  integer,
  jsonb,
  pgTable,
  text,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { at } from "./columns";
import { teams } from "./teams";
import { users } from "./users";

/*
 * The tables of billing. lib/billing/sync.ts copies to subscriptions and invoices what the payment
 * provider reports, and nothing else. Both belong to a customer, which outlives its team: a
 * subscription that still runs at the provider when a team is deleted must be found and ended.
 */

/**
 * A team as the provider's customer. The row is inserted before the customer is created, and its id
 * is sent to the provider.
 */
export const billingCustomers = pgTable(
  "billing_customers",
  {
    id: uuid().primaryKey().defaultRandom(),
    teamId: uuid("team_id").references(() => teams.id, { onDelete: "set null" }),
    // Null until the provider has created the customer.
    customerId: text("customer_id").unique("billing_customers_customer"),
    // Hash of the name and the email that the provider has, to detect changes.
    toldHash: text("told_hash"),
    // The open checkout, so that a second tab gets the same one: what is ordered, the idempotency
    // key for the provider, and what the provider created.
    checkoutOrder: jsonb("checkout_order"),
    checkoutKey: uuid("checkout_key"),
    checkoutId: text("checkout_id"),
    checkoutUrl: text("checkout_url"),
    checkoutExpiresAt: at("checkout_expires_at"),
    // When the stored state was requested from the provider, by this database's clock.
    fetchedAt: at("fetched_at").notNull().default(sql`'-infinity'`),
    createdAt: at("created_at").notNull().defaultNow(),
  },
  (t) => [uniqueIndex("billing_customers_team").on(t.teamId)],
);

export const subscriptions = pgTable(
  "subscriptions",
  {
    id: text().primaryKey(),
    customerId: text("customer_id")
      .notNull()
      .references(() => billingCustomers.customerId, { onDelete: "cascade" }),
    // Null for a price that is not in lib/billing/plans.ts.
    plan: text(),
    interval: text({ enum: ["month", "year"] }),
    seats: integer().notNull(),
    status: text({
      enum: ["incomplete", "trialing", "active", "past_due", "unpaid", "ended"],
    }).notNull(),
    currentPeriodEnd: at("current_period_end"),
    cancelAt: at("cancel_at"),
    endedAt: at("ended_at"),
    // When a sync first saw the failed payment. The plan stays for a grace period from here.
    pastDueSince: at("past_due_since"),
    createdAt: at("created_at").notNull(),
  },
  (t) => [
    // For a request's lookup, which reads the plan of the team's live subscription.
    index("subscriptions_live").on(t.customerId).where(sql`${t.endedAt} is null`),
    index("subscriptions_customer").on(t.customerId),
    check("subscriptions_seats", sql`${t.seats} >= 0`),
  ],
);

export const invoices = pgTable(
  "invoices",
  {
    id: text().primaryKey(),
    customerId: text("customer_id")
      .notNull()
      .references(() => billingCustomers.customerId, { onDelete: "cascade" }),
    number: text(),
    status: text({ enum: ["open", "paid", "uncollectible", "void"] }).notNull(),
    // In the smallest unit of `currency`.
    total: integer().notNull(),
    currency: text().notNull(),
    url: text(),
    createdAt: at("created_at").notNull(),
  },
  (t) => [index("invoices_customer").on(t.customerId, t.createdAt)],
);

/** The received webhooks, because the provider may send one more than once. */
export const billingEvents = pgTable(
  "billing_events",
  {
    id: text().primaryKey(),
    type: text().notNull(),
    customerId: text("customer_id"),
    receivedAt: at("received_at").notNull().defaultNow(),
  },
  (t) => [index("billing_events_received").on(t.receivedAt)],
);

/** Free trials of a paid plan: at most one per user and one per team. */
export const trials = pgTable(
  "trials",
  {
    userId: uuid("user_id")
      .primaryKey()
      .references(() => users.id, { onDelete: "cascade" }),
    teamId: uuid("team_id").references(() => teams.id, { onDelete: "set null" }),
    startedAt: at("started_at").notNull().defaultNow(),
  },
  (t) => [uniqueIndex("trials_team").on(t.teamId)],
);
