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
 * What the payment provider says about teams, and nothing that it does not say: lib/billing/sync.ts copies
 * its state here. Subscriptions and invoices belong to a customer, which outlives its team: what runs at the
 * provider when a team is deleted must still be found and ended.
 */

/** A team as the provider knows it. The row is made before the customer, and names it to the provider. */
export const billingCustomers = pgTable(
  "billing_customers",
  {
    id: uuid().primaryKey().defaultRandom(),
    teamId: uuid("team_id").references(() => teams.id, { onDelete: "set null" }),
    // Null until the provider has made it.
    customerId: text("customer_id").unique("billing_customers_customer"),
    // A hash of the name and the email that the provider knows, to see when they have changed.
    toldHash: text("told_hash"),
    // The checkout that can be paid, so that a second tab gets the same one: what is ordered, the key under
    // which the provider makes it once, and what the provider made.
    checkoutOrder: jsonb("checkout_order"),
    checkoutKey: uuid("checkout_key"),
    checkoutId: text("checkout_id"),
    checkoutUrl: text("checkout_url"),
    checkoutExpiresAt: at("checkout_expires_at"),
    // When the state that is stored here was asked for, by the clock of this database.
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
    // Null for a price that lib/billing/plans.ts does not have.
    plan: text(),
    interval: text({ enum: ["month", "year"] }),
    seats: integer().notNull(),
    status: text({
      enum: ["incomplete", "trialing", "active", "past_due", "unpaid", "ended"],
    }).notNull(),
    currentPeriodEnd: at("current_period_end"),
    cancelAt: at("cancel_at"),
    endedAt: at("ended_at"),
    // When its first look after a failed payment was: from here the plan stays for a while.
    pastDueSince: at("past_due_since"),
    createdAt: at("created_at").notNull(),
  },
  (t) => [
    // For the lookup of a request, which wants the plan of the team's live subscription.
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

/** Which webhooks have been received: the provider sends one more than once. */
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

/** Who has tried a paid plan for free, and with which team: once each. */
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
