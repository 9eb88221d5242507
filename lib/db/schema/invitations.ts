import { sql } from "drizzle-orm";
import {
  check,
  index,
  pgTable,
  primaryKey,
  text,
  unique,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { at, bytea } from "./columns";
import { teams } from "./teams";
import { users } from "./users";

/** Open invitations to a team, one per email. */
export const invitations = pgTable(
  "invitations",
  {
    teamId: uuid("team_id")
      .notNull()
      .references(() => teams.id, { onDelete: "cascade" }),
    id: uuid().notNull().defaultRandom(),
    // Normalised by lib/fields.ts, as users.email is: only the user with this email can accept.
    email: text().notNull(),
    // Never "owner": ownership is given by an owner to a member, not by mail.
    role: text({ enum: ["admin", "member"] }).notNull(),
    // Null until the mail is rendered.
    tokenHash: bytea("token_hash"),
    // The inviter. The functions that remove or demote this member delete the invitation.
    invitedBy: uuid("invited_by").references(() => users.id, { onDelete: "cascade" }),
    createdAt: at("created_at").notNull().defaultNow(),
    expiresAt: at("expires_at").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.teamId, t.id] }),
    unique("invitations_team_email").on(t.teamId, t.email),
    uniqueIndex("invitations_token_hash").on(t.tokenHash),
    index("invitations_email").on(t.email),
    index("invitations_invited_by").on(t.invitedBy),
    index("invitations_expires_at").on(t.expiresAt),
    check("invitations_role", sql`${t.role} in ('admin', 'member')`),
    check("invitations_token_hash_length", sql`octet_length(${t.tokenHash}) = 32`),
    check(
      "invitations_email_normalised",
      sql`${t.email} = lower(${t.email} collate "C") and length(${t.email}) <= 254`,
    ),
  ],
);
