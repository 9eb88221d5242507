import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  check,
  index,
  pgTable,
  text,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { at, bytea } from "./columns";
import { users } from "./users";

/** What is kept of a passkey: nothing that proves who a user is; the private key stays in its authenticator. */
export const passkeys = pgTable(
  "passkeys",
  {
    id: uuid().primaryKey().defaultRandom(),
    userId: uuid("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    // Chosen by the authenticator. Unique over all users: it says whose login this is.
    credentialId: bytea("credential_id").notNull(),
    // The domain that it was made for. It works for no other one.
    rpId: text("rp_id").notNull(),
    // COSE, as the authenticator gave it.
    publicKey: bytea("public_key").notNull(),
    // How often the authenticator says it was used. Synced passkeys always say 0.
    signCount: bigint("sign_count", { mode: "number" }).notNull(),
    // How a browser reaches it: a hint for the browser, which it gave itself.
    transports: text().array().notNull(),
    // The model of the authenticator, by its own word.
    aaguid: uuid().notNull(),
    // Whether it can be synced, and is. Shown, and never a reason to refuse.
    backupEligible: boolean("backup_eligible").notNull(),
    backedUp: boolean("backed_up").notNull(),
    name: text().notNull(),
    createdAt: at("created_at").notNull().defaultNow(),
    lastUsedAt: at("last_used_at"),
  },
  (t) => [
    uniqueIndex("passkeys_credential_id").on(t.credentialId),
    index("passkeys_user_id").on(t.userId),
    check("passkeys_credential_id_length", sql`octet_length(${t.credentialId}) between 1 and 1023`),
    check("passkeys_sign_count", sql`${t.signCount} >= 0`),
    check("passkeys_name_length", sql`length(${t.name}) between 1 and 100`),
  ],
);
