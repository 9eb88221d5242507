import { sql } from "drizzle-orm";
import { check, index, pgTable, text, uniqueIndex, uuid } from "drizzle-orm/pg-core";
import { at, bytea } from "./columns";
import { users } from "./users";

/** Links mailed to existing users, bound to the email they were sent to. */
export const links = pgTable(
  "links",
  {
    tokenHash: bytea("token_hash").primaryKey(),
    userId: uuid("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    purpose: text({
      enum: ["password-reset", "confirm-browser", "email-change", "email-restore", "not-me"],
    }).notNull(),
    // The email that the link was sent to. Opening the link proves control of the mailbox. A reset
    // and the confirmation of a browser work only while it is still the user's email; the two email
    // purposes make it the user's.
    sentTo: text("sent_to").notNull(),
    createdAt: at("created_at").notNull().defaultNow(),
    // The time of the event that a link of purpose "not-me" or "email-restore" undoes.
    since: at("since"),
    expiresAt: at("expires_at").notNull(),
  },
  (t) => [
    // Only the newest link of these purposes works. The other two purposes undo what an attacker
    // did, so a second link must not invalidate the owner's first one.
    uniqueIndex("links_user_purpose")
      .on(t.userId, t.purpose)
      .where(sql`${t.purpose} in ('password-reset', 'confirm-browser', 'email-change')`),
    index("links_user_id").on(t.userId),
    index("links_expires_at").on(t.expiresAt),
    check("links_token_hash_length", sql`octet_length(${t.tokenHash}) = 32`),
  ],
);
