import { randomUUID } from "node:crypto";
import { eq, sql } from "drizzle-orm";
import { unknownClient } from "@/lib/audit";
import { hashPassword, verifyPassword } from "@/lib/auth/credentials/passwords";
import { createSession } from "@/lib/auth/sessions/create";
import { getSession, type Session } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { logInAttempts } from "@/lib/db/schema/log-in-attempts";
import { passwords } from "@/lib/db/schema/passwords";
import { users } from "@/lib/db/schema/users";

export const password = "correct horse battery";
/** The password after a change. */
export const newPassword = "seven purple herons";
const hash = hashPassword(password);

/** The fields of a reset form that keeps the API keys. */
export const withPassword = (password: string) => ({ password, revokeApiKeys: false });

export type TestUser = { id: string; email: string; name: string };

/** Creates a user whose password is `password`. */
export async function createUser(
  db: Db,
  given: Partial<TestUser> & { role?: "admin" } = {},
): Promise<TestUser> {
  const email = `${randomUUID()}@example.com`;
  const [user] = await db
    .insert(users)
    .values({ email, name: "Test Person", ...given })
    .returning({ id: users.id, email: users.email, name: users.name });
  if (!user) throw new Error("createUser: the insert returned no row.");
  await db.insert(passwords).values({ userId: user.id, hash: await hash });
  return user;
}

/**
 * Creates a session without a login, which would hash a password. An administrator's session has a
 * second factor, because the administration requires one.
 */
export async function createLogin(
  db: Db,
  user: TestUser,
  given: {
    persistent?: boolean;
    userAgent?: string;
    ip?: string;
    presented?: string;
    amr?: string[];
  } = {},
): Promise<{ token: string; session: Session }> {
  const { authVersion, role } = await rowOf(db, user);
  const created = await createSession(db, {
    userId: user.id,
    authVersion,
    amr: given.amr ?? (role === "admin" ? ["pwd", "otp"] : ["pwd"]),
    persistent: given.persistent ?? true,
    presented: given.presented ?? null,
    client: { ip: given.ip ?? unknownClient.ip, userAgent: given.userAgent ?? null },
  });
  if (!created) throw new Error("createLogin: refused.");
  const session = await getSession(db, created.token);
  if (!session) throw new Error("createLogin: the new session is not live.");
  return { token: created.token, session };
}

/** Records that many failed logins in a row, long enough ago that a new login need not wait. */
export async function failLogIns(db: Db, email: string, failures: number): Promise<void> {
  await db.execute(sql`
    insert into ${logInAttempts} (email_hash, failures, tat)
    values (sha256(${email}::text::bytea), ${failures}, now())
    on conflict (email_hash) do update set failures = excluded.failures, tat = excluded.tat`);
}

/** Whether this is the user's password. */
export async function opensWith(db: Db, user: TestUser, typed: string): Promise<boolean> {
  return (await verifyPassword(db, user.email, typed)) !== null;
}

async function rowOf(db: Db, { id }: TestUser): Promise<{ authVersion: number; role: string }> {
  const [row] = await db
    .select({ authVersion: users.authVersion, role: users.role })
    .from(users)
    .where(eq(users.id, id));
  if (!row) throw new Error("This user is gone.");
  return row;
}
