import { pgTable, text, uuid } from "drizzle-orm/pg-core";
import { at } from "./columns";
import { users } from "./users";

/** Apart from users, so that a user row can be passed around without carrying the hash. */
export const passwords = pgTable("passwords", {
  userId: uuid("user_id")
    .primaryKey()
    .references(() => users.id, { onDelete: "cascade" }),
  // The full argon2id string: parameters and salt are part of it, so they can be raised later.
  hash: text().notNull(),
  changedAt: at("changed_at").notNull().defaultNow(),
});
