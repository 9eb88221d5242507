import "server-only";
import { after } from "next/server";
import { Problem } from "@/lib/api/problems";
import { isApiKey } from "@/lib/auth/tokens/api-key-format";
import { database } from "@/lib/db/client";
import { findTeamOfUser } from "@/lib/teams/bearer";
import { findTeamKey, type TeamKeyScope, touchTeamKey } from "@/lib/teams/keys";
import { createTeamScope, type TeamScope } from "@/lib/teams/scope";
import { invalidToken, presentedBearer, requireBearer, requireScope } from "./bearer";
import { currentClient } from "./request";

/*
 * Guards the API's routes of a team. Security: the team comes from the key's row, or from the row
 * that makes the bearer's user a member, whatever the path says; for every other bearer the team
 * does not exist (404).
 */

/**
 * Called on the first line of every route of a team. A team's key gives access to that team; a
 * user's API key or an app gives access to the user's teams, as far as their role allows. Throws a
 * `Problem` that states what is missing.
 */
export async function requireTeamBearer(
  request: Request,
  handle: string,
  scope: TeamKeyScope,
): Promise<TeamScope> {
  const presented = presentedBearer(request);
  return isApiKey("team", presented)
    ? ofTeamKey(request, presented, handle, scope)
    : ofUser(request, handle, scope);
}

async function ofTeamKey(
  request: Request,
  presented: string,
  handle: string,
  scope: TeamKeyScope,
): Promise<TeamScope> {
  const key = await findTeamKey(database(), presented);
  if (!key) throw invalidToken(request);
  requireScope(key.scopes, scope);
  if (key.team.handle !== handle) throw new Problem("not-found");
  if (key.touchDue) after(() => touchTeamKey(database(), key));
  return createTeamScope(key.team, {
    ...{ id: null, userId: null, keyId: key.id },
    client: await currentClient(),
  });
}

async function ofUser(request: Request, handle: string, scope: TeamKeyScope): Promise<TeamScope> {
  const { user, session } = await requireBearer(request, scope);
  const team = await findTeamOfUser(database(), user.id, handle);
  if (!team) throw new Problem("not-found");
  // A user's key is not a second factor: an attacker who knows the password may have created it.
  if (team.requiresStrong && !session?.strong) throw new Problem("strong-proof-required");
  const client = await currentClient();
  return createTeamScope(team, { id: session?.id ?? null, userId: user.id, client });
}
