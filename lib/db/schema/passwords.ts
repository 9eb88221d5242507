import { pgTable, text, uuid } from "drizzle-orm/pg-core";
import { at } from "./columns";
import { users } from "./users";

/** Separate from users, so that a user row can be passed around without the hash. */
export const passwords = pgTable("passwords", {
  userId: uuid("user_id")
    .primaryKey()
    .references(() => users.id, { onDelete: "cascade" }),
  // The full argon2id string. It includes the parameters and the salt, so the
  // parameters can be raised later.
  hash: text().notNull(),
  changedAt: at("changed_at").notNull().defaultNow(),
});
