import { randomBytes } from "node:crypto";
import { billingPolicy } from "@/lib/billing/policy";
import type { Db } from "@/lib/db/client";
import type { auditEvents } from "@/lib/db/schema/audit-events";
import { invitations } from "@/lib/db/schema/invitations";
import { members } from "@/lib/db/schema/members";
import { teams } from "@/lib/db/schema/teams";
import { teamPolicy } from "@/lib/teams/policy";
import type { TeamRole } from "@/lib/teams/roles";
import { days } from "@/lib/time";

/* The demo teams, their members, and an open invitation. */

type SampleTeam = {
  name: string;
  age: number;
  /** Roles by the names of the users. The first user has created the team. */
  roles: Record<string, TeamRole>;
  /** The email of an open invitation. */
  invited?: string;
};

/** Two, so that there is another team to switch to. */
const sampleTeams: SampleTeam[] = [
  {
    ...{ name: "Acme", age: days(40), invited: "new.colleague@example.com" },
    roles: {
      ...{ "Dana Demo": "owner", "Ada Admin": "admin" },
      ...{ "Mei Lin": "member", "Tomás Herrera": "member" },
    },
  },
  {
    ...{ name: "Northwind", age: days(26) },
    roles: { "Olga Petrova": "owner", "Noah Fischer": "admin", "Dana Demo": "member" },
  },
];

type Event = typeof auditEvents.$inferInsert & { at: Date };

/**
 * Inserts the demo teams. `ids` maps the names of users to their ids. Returns the teams' ids by
 * name, and the events for the audit log.
 */
export async function insertSampleTeams(
  tx: Db,
  ids: Map<string, string>,
): Promise<{ teams: Map<string, string>; events: Event[] }> {
  const created = new Map<string, string>();
  const events: Event[] = [];
  for (const { name, age, roles, invited } of sampleTeams) {
    const handle = randomBytes(5).toString("hex");
    const createdAt = ago(age);
    const [team] = await tx
      .insert(teams)
      .values({ handle, name, createdAt, trialEndsAt: new Date(Date.now() + billingPolicy.trial) })
      .returning();
    if (!team) throw new Error("seed: the insert returned no row.");
    created.set(name, team.id);
    const joined = Object.entries(roles).map(([user, role], index) => ({
      ...{ teamId: team.id, userId: `${ids.get(user)}`, role },
      joinedAt: ago(age - index * days(3)),
    }));
    await tx.insert(members).values(joined);
    events.push(
      ...joined.map(({ teamId, userId, joinedAt }, index) => ({
        kind: index === 0 ? "team-created" : "team-joined",
        ...{ teamId, userId, at: joinedAt },
      })),
    );
    if (invited)
      await tx.insert(invitations).values({
        ...{ teamId: team.id, email: invited, role: "member" as const },
        ...{ invitedBy: joined[0]?.userId, createdAt: ago(days(2)) },
        expiresAt: ago(days(2) - teamPolicy.invitation),
      });
  }
  return { teams: created, events };
}

const ago = (milliseconds: number) => new Date(Date.now() - milliseconds);
