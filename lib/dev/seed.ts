import { randomBytes } from "node:crypto";
import { count } from "drizzle-orm";
import { connect, type Db } from "@/lib/db/client";
import { auditEvents } from "@/lib/db/schema/audit-events";
import { passwords } from "@/lib/db/schema/passwords";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";
import { days, hours, minutes } from "@/lib/time";
import { insertSampleProjects } from "./seed-projects";
import { insertSampleTeams } from "./seed-teams";

/*
 * The demo data. Security: the demo users' passwords are published, so the commands refuse to add
 * them in production and if APP_URL is https (lib/commands/database.ts).
 */

/** Printed by `npm run dev`. Never in production: `npm run db:seed` refuses there. */
export const demoUsers = [
  { email: "demo@example.com", password: "demo password", name: "Dana Demo", role: "user" },
  { email: "admin@example.com", password: "admin password", name: "Ada Admin", role: "admin" },
] as const;

/** Realistic devices of the demo user, so that the devices page has rows. */
const devices = [
  {
    userAgent:
      "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    ip: "203.0.113.24",
    signedIn: days(9),
    lastSeen: hours(3),
    persistent: true,
  },
  {
    userAgent:
      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    ip: "198.51.100.7",
    signedIn: days(21),
    lastSeen: days(2),
    persistent: true,
  },
  {
    userAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
    ip: "2001:db8:85a3::8a2e",
    signedIn: hours(5),
    lastSeen: minutes(47),
    persistent: false,
  },
];

/** More users, without a password, so that the admin pages have rows to search and page through. */
const sampleUsers = [
  ...["Amara Okafor", "Benoît Lefèvre", "Chiara Rossi", "Daniel Schmidt", "Elif Yılmaz"],
  ...["Fatima Zahra", "Gabriel Costa", "Hana Novák", "Ingrid Larsen", "Jack Murphy"],
  ...["Katarzyna Wójcik", "Liam Walker", "Mei Lin", "Noah Fischer", "Olga Petrova"],
  ...["Priya Sharma", "Quentin Moreau", "Rosa Jiménez", "Sofia Andersson", "Tomás Herrera"],
  ...["Uma Krishnan", "Viktor Horvat", "Wren Taylor", "Ximena Torres", "Yuki Tanaka"],
  ...["Zoë van Dijk"],
];

/**
 * Fills an empty database with the demo users and their teams. Returns false, and changes nothing,
 * if any user exists. `hash` comes from the caller, so that a test can refuse it.
 */
export async function seed(
  url: string,
  hash: (password: string) => Promise<string>,
): Promise<boolean> {
  const { db, sql } = connect(url, { max: 1 });
  try {
    return await db.transaction(async (tx) => {
      const [existing] = await tx.select({ n: count() }).from(users);
      if (existing && existing.n > 0) return false;
      const ids = new Map<string, string>();
      for (const { password, ...values } of demoUsers) {
        const [user] = await tx.insert(users).values(values).returning({ id: users.id });
        if (!user) throw new Error("seed: the insert returned no row.");
        await tx.insert(passwords).values({ userId: user.id, hash: await hash(password) });
        if (values.role === "user")
          await tx.insert(sessions).values(devices.map(sessionOf(user.id)));
        ids.set(values.name, user.id);
      }
      const { added, events } = await insertSampleUsers(tx, `${ids.get("Ada Admin")}`);
      for (const { id, name } of added) ids.set(name, id);
      const demo = await insertSampleTeams(tx, ids);
      events.push(...demo.events);
      await tx.insert(auditEvents).values(events.sort((a, b) => a.at.getTime() - b.at.getTime()));
      await insertSampleProjects(tx, demo.teams, ids);
      return true;
    });
  } finally {
    await sql.end();
  }
}

type Event = typeof auditEvents.$inferInsert & { at: Date };

async function insertSampleUsers(
  tx: Db,
  admin: string,
): Promise<{ added: { id: string; name: string }[]; events: Event[] }> {
  const reason = "Sent advertising to other customers.";
  const added = await tx
    .insert(users)
    .values(
      sampleUsers.map((name, index) => ({
        name,
        email: `${emailLocalPart(name)}@example.com`,
        createdAt: ago(days(3 + index * 11)),
        ...(index % 9 === 6 && { status: "suspended" as const, suspensionReason: reason }),
      })),
    )
    .returning({
      id: users.id,
      name: users.name,
      status: users.status,
      createdAt: users.createdAt,
    });
  const [device] = devices;
  const recent = added.filter(({ status }, index) => status === "active" && index % 2 === 0);
  if (device) await tx.insert(sessions).values(recent.map(({ id }) => sessionOf(id)(device)));
  const events = added.flatMap(({ id, status, createdAt }, index) => [
    { kind: "signed-up", userId: id, at: createdAt },
    {
      kind: "logged-in",
      userId: id,
      at: ago(hours(2 + index * 31)),
      ip: `198.51.100.${index}`,
      userAgent: devices[index % devices.length]?.userAgent,
    },
    ...(status === "suspended"
      ? [
          {
            kind: "suspended",
            userId: id,
            actorId: admin,
            at: ago(hours(1 + index * 20)),
            detail: { by: "administrator", reason },
          },
        ]
      : []),
  ]);
  return { added, events };
}

const ago = (milliseconds: number) => new Date(Date.now() - milliseconds);

/** Returns a name as the part of an email before the @: "zoe.van.dijk". */
function emailLocalPart(name: string): string {
  const letters = name.normalize("NFKD").replaceAll(/\p{M}/gu, "").replaceAll("ı", "i");
  return letters.toLowerCase().replaceAll(" ", ".");
}

// The token is discarded: a seeded session can be listed and ended, never used.
function sessionOf(userId: string) {
  return (device: (typeof devices)[number]) => ({
    userId,
    tokenHash: randomBytes(32),
    authVersion: 1,
    amr: ["pwd"],
    persistent: device.persistent,
    createdAt: new Date(Date.now() - device.signedIn),
    authenticatedAt: new Date(Date.now() - device.signedIn),
    lastSeenAt: new Date(Date.now() - device.lastSeen),
    expiresAt: new Date(Date.now() - device.signedIn + (device.persistent ? days(30) : hours(24))),
    ip: device.ip,
    userAgent: device.userAgent,
  });
}
