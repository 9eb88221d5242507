import { sql } from "drizzle-orm";
import { check, index, pgTable, text, uniqueIndex, uuid } from "drizzle-orm/pg-core";
import { at, bytea } from "./columns";
import { users } from "./users";

/** Mailed links of existing users, bound to the email they went to. */
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
    // The mailbox that proved itself by opening the link. A reset and the confirmation of a browser
    // work only while it is still the user's; the two e-mail purposes make it the user's.
    sentTo: text("sent_to").notNull(),
    createdAt: at("created_at").notNull().defaultNow(),
    // The time of the event that a link of purpose "not-me" or "email-restore" undoes.
    since: at("since"),
    expiresAt: at("expires_at").notNull(),
  },
  (t) => [
    // Of these the newest alone works. The other two purposes undo what an attacker did: a second one must
    // not take the first from its owner.
    uniqueIndex("links_user_purpose")
      .on(t.userId, t.purpose)
      .where(sql`${t.purpose} in ('password-reset', 'confirm-browser', 'email-change')`),
    index("links_user_id").on(t.userId),
    index("links_expires_at").on(t.expiresAt),
    check("links_token_hash_length", sql`octet_length(${t.tokenHash}) = 32`),
  ],
);
