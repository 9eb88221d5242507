import { sql } from "drizzle-orm";
import { check, pgTable, text, uniqueIndex, uuid } from "drizzle-orm/pg-core";
import { providerIds } from "../../provider-ids";
import { at } from "./columns";
import { users } from "./users";

/**
 * Provider accounts (Google, GitHub, OpenID Connect) that log a user in. No
 * provider's token is stored.
 */
export const identities = pgTable(
  "identities",
  {
    id: uuid().primaryKey().defaultRandom(),
    userId: uuid("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    // Issuer and subject together are the identity. An email is not: it can pass to another person.
    issuer: text().notNull(),
    subject: text().notNull(),
    // The configured provider that it came from. Sessions name it in `amr`.
    provider: text({ enum: providerIds }).notNull(),
    // The account's name at the provider. Only shown, never compared.
    label: text().notNull(),
    createdAt: at("created_at").notNull().defaultNow(),
    lastUsedAt: at("last_used_at"),
  },
  (t) => [
    uniqueIndex("identities_issuer_subject").on(t.issuer, t.subject),
    uniqueIndex("identities_user_issuer").on(t.userId, t.issuer),
    check("identities_issuer_length", sql`length(${t.issuer}) between 1 and 255`),
    check("identities_subject_length", sql`length(${t.subject}) between 1 and 255`),
    check("identities_label_length", sql`length(${t.label}) between 1 and 254`),
  ],
);
