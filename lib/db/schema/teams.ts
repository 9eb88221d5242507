import { sql } from "drizzle-orm";
import { boolean, check, index, pgTable, text, uniqueIndex, uuid } from "drizzle-orm/pg-core";
import { at } from "./columns";

/** The customers of the product: users work in teams, and a team owns the product's data. */
export const teams = pgTable(
  "teams",
  {
    id: uuid().primaryKey().defaultRandom(),
    // In the URL. Random, never changed or reused, so an old link cannot lead to another team.
    handle: text().notNull(),
    name: text().notNull(),
    // If true, members without a second factor or a passkey see nothing of the team.
    requiresStrong: boolean("requires_strong").notNull().default(false),
    // The end of the free `trialPlan` (lib/billing/plans.ts), and the plan that an administrator
    // gave.
    trialEndsAt: at("trial_ends_at"),
    compedPlan: text("comped_plan"),
    compedUntil: at("comped_until"),
    createdAt: at("created_at").notNull().defaultNow(),
  },
  (t) => [
    uniqueIndex("teams_handle").on(t.handle),
    // For the administration's list, newest first, and for its substring search.
    index("teams_newest").on(t.createdAt, t.id),
    index("teams_search").using("gin", sql`(${t.handle} || ' ' || lower(${t.name})) gin_trgm_ops`),
    check("teams_handle_shape", sql`${t.handle} ~ '^[a-z0-9]{10}$'`),
    check("teams_name_length", sql`length(${t.name}) between 1 and 60`),
  ],
);
