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

/** Passkeys. Nothing here proves a user's identity: the private key stays in the authenticator. */
export const passkeys = pgTable(
  "passkeys",
  {
    id: uuid().primaryKey().defaultRandom(),
    userId: uuid("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    // Chosen by the authenticator. Unique over all users, because it identifies the user at login.
    credentialId: bytea("credential_id").notNull(),
    // The domain that the passkey was created for. It works for no other.
    rpId: text("rp_id").notNull(),
    // The COSE key, as the authenticator gave it.
    publicKey: bytea("public_key").notNull(),
    // The authenticator's count of uses. Synced passkeys always report 0.
    signCount: bigint("sign_count", { mode: "number" }).notNull(),
    // How a browser can reach the authenticator: a hint that the browser gave, and gets back.
    transports: text().array().notNull(),
    // The authenticator's model, as it reports it.
    aaguid: uuid().notNull(),
    // Whether it can be synced, and whether it is. Only shown, never a reason to refuse.
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
