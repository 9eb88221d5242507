import type { Actor } from "@/lib/actor";
import type { Session } from "@/lib/auth/sessions/lookup";
import { type Limits, limitsOf, type Plan } from "@/lib/billing/plans";
import type { TeamRole } from "./roles";

/*
 * Owns the type that every function of a team's data takes in place of a team's id. The security fact: its
 * `teamId` comes from a row that says the caller belongs to the team, never from the request. Only the
 * guards make one (lib/web/team.ts, lib/web/team-bearer.ts), which tests/layers.test.ts holds.
 */

declare const checked: unique symbol;

/** A team, and by which right a request acts in it. */
export type TeamScope = {
  readonly [checked]: true;
  readonly teamId: string;
  readonly handle: string;
  readonly name: string;
  /** Of the user as the request found it. An API key of the team counts as a member. */
  readonly role: TeamRole;
  readonly plan: Plan;
  readonly limits: Limits;
  readonly requiresStrong: boolean;
  /** Who acts: a user, or an API key of the team, whose id is `keyId` and which has no user. */
  readonly actor:
    | (Actor & { keyId?: undefined })
    | (Omit<Actor, "userId"> & { userId: null; keyId: string });
};

/** A team, and a user who acts in it by a session of a browser. */
export type MemberScope = TeamScope & { readonly session: Session };

export type FoundTeam = {
  id: string;
  handle: string;
  name: string;
  role: TeamRole;
  plan: Plan;
  requiresStrong: boolean;
};

/** For guards alone: the row must say that the actor belongs to the team. */
export function createTeamScope(team: FoundTeam, actor: TeamScope["actor"]): TeamScope {
  const { id: teamId, handle, name, role, plan, requiresStrong } = team;
  const scope = {
    ...{ teamId, handle, name, role, plan, requiresStrong },
    limits: limitsOf(plan),
    actor,
  };
  return scope as TeamScope; // the mark exists for the compiler alone
}

/** The same for a user with a session. */
export function createMemberScope(team: FoundTeam, session: Session): MemberScope {
  const { id, userId, client } = session;
  return { ...createTeamScope(team, { id, userId, client }), session };
}
