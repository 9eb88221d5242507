import { and, eq, type SQL, sql } from "drizzle-orm";
import type { Role } from "@/lib/auth/roles";
import type { Db } from "@/lib/db/client";
import { after, cursor } from "@/lib/db/cursor";
import { auditEvents } from "@/lib/db/schema/audit-events";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";

/*
 * Finds users, for the administration. Security: nothing here checks who the caller is; only pages
 * behind requireAdmin and the command line may call it. Every statement stays fast with a million
 * users: measured in tests/bench/directory.ts.
 */

export type Status = "active" | "suspended";

export type ListedUser = {
  id: string;
  email: string;
  name: string;
  role: Role;
  status: Status;
  createdAt: Date;
  /** When the user last used any device, including those logged out since. Null: never. */
  lastSeenAt: Date | null;
  /** Where the page after this user begins. */
  cursor: string;
};

export type Filter = { search?: string; role?: Role; status?: Status };

/** How many of the newest users a search without three letters or digits in a row covers. */
export const shortSearchReach = 10_000;

/** Whether the search is too short for the index, which needs three letters or digits in a row. */
export function isShort(search: string): boolean {
  return !/[\p{L}\p{N}]{3}/u.test(search);
}

/**
 * Returns users, the newest first. `search` matches any part of email and name, in any case;
 * `after` is the cursor of the last user of the previous page. The time when each was last seen is
 * looked up only for the returned page.
 */
export async function listUsers(
  db: Db,
  { search, role, status, limit, ...page }: Filter & { after?: string; limit: number },
): Promise<ListedUser[]> {
  const where = and(
    search ? matches(search) : undefined,
    role && sql`role = ${role}`,
    status && sql`status = ${status}`,
    after(page.after),
  );
  const rows = await db.execute<Row>(sql`
    with page as (
      select id, email, name, role, status, created_at from ${search && isShort(search) ? newest : users}
      where ${where ?? sql`true`} order by created_at desc, id desc limit ${limit})
    select page.*, ${cursor} as cursor, ${lastSeenOf(sql`page.id`)} as last_seen_at
    from page order by created_at desc, id desc`);
  return rows.map((row) => ({
    ...{ id: row.id, email: row.email, name: row.name, role: row.role, status: row.status },
    createdAt: new Date(row.created_at),
    lastSeenAt: row.last_seen_at === null ? null : new Date(row.last_seen_at),
    cursor: row.cursor,
  }));
}

type Row = {
  id: string;
  email: string;
  name: string;
  role: Role;
  status: Status;
  created_at: string;
  cursor: string;
  last_seen_at: string | null;
};

const newest = sql`(
  select id, email, name, role, status, created_at from ${users}
  order by created_at desc, id desc limit ${shortSearchReach}) newest`;

/**
 * Uses exactly the expression of the index `users_search`. The database converts to lower case by
 * its own rules.
 */
function matches(search: string): SQL {
  const literal = search.replaceAll(/[\\%_]/g, "\\$&");
  return sql`(email || ' ' || lower(name)) like '%' || lower(${literal}::text) || '%'`;
}

/** The latest use, from the sessions that still exist and the audit events of those that do not. */
function lastSeenOf(userId: SQL): SQL {
  return sql`greatest(
    (select max(last_seen_at) from ${sessions} where user_id = ${userId}),
    (select at from ${auditEvents} where user_id = ${userId} and kind in ('logged-in', 'logged-out', 'signed-up')
      order by id desc limit 1))`;
}

export type UserDetail = Omit<ListedUser, "cursor"> & {
  /** The reason, if the user is suspended. */
  suspensionReason: string | null;
};

export async function findUser(db: Db, id: string): Promise<UserDetail | null> {
  const [user] = await db
    .select({
      id: users.id,
      email: users.email,
      name: users.name,
      role: users.role,
      status: users.status,
      suspensionReason: users.suspensionReason,
      createdAt: users.createdAt,
      lastSeenAt: sql<string | null>`${lastSeenOf(sql`${users.id}`)}`,
    })
    .from(users)
    .where(eq(users.id, id));
  if (!user) return null;
  return { ...user, lastSeenAt: user.lastSeenAt === null ? null : new Date(user.lastSeenAt) };
}

/** Returns the id of the user with this email, normalized as in lib/fields.ts. */
export async function findUserId(db: Db, email: string): Promise<string | null> {
  const [user] = await db.select({ id: users.id }).from(users).where(eq(users.email, email));
  return user?.id ?? null;
}
