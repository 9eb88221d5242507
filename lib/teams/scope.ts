import type { Actor } from "@/lib/actor";
import type { Session } from "@/lib/auth/sessions/lookup";
import { type Limits, limitsOf, type Plan } from "@/lib/billing/plans";
import type { TeamRole } from "./roles";

/*
 * The type that every function on a team's data takes instead of a team id. Security: its `teamId`
 * comes from a row showing that the caller belongs to the team, never from the request. Only the
 * guards create one (lib/web/team.ts, lib/web/team-bearer.ts); tests/layers.test.ts enforces this.
 */

declare const checked: unique symbol;

/** A team, and the right by which a request acts in it. */
export type TeamScope = {
  readonly [checked]: true;
  readonly teamId: string;
  readonly handle: string;
  readonly name: string;
  /** The user's role when the request was checked. An API key of the team counts as a member. */
  readonly role: TeamRole;
  readonly plan: Plan;
  readonly limits: Limits;
  readonly requiresStrong: boolean;
  /** The actor: a user, or an API key of the team, which has the id `keyId` and no user. */
  readonly actor:
    | (Actor & { keyId?: undefined })
    | (Omit<Actor, "userId"> & { userId: null; keyId: string });
};

/** A team, and a user who acts in it with a browser session. */
export type MemberScope = TeamScope & { readonly session: Session };

export type FoundTeam = {
  id: string;
  handle: string;
  name: string;
  role: TeamRole;
  plan: Plan;
  requiresStrong: boolean;
};

/** Only for guards: `team` must come from a row showing that the actor belongs to the team. */
export function createTeamScope(team: FoundTeam, actor: TeamScope["actor"]): TeamScope {
  const { id: teamId, handle, name, role, plan, requiresStrong } = team;
  const scope = {
    ...{ teamId, handle, name, role, plan, requiresStrong },
    limits: limitsOf(plan),
    actor,
  };
  return scope as TeamScope; // the brand exists only for the compiler
}

/** Like `createTeamScope`, for a user with a session. */
export function createMemberScope(team: FoundTeam, session: Session): MemberScope {
  const { id, userId, client } = session;
  return { ...createTeamScope(team, { id, userId, client }), session };
}
