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
 * Owns the guard of the API's routes of a team. The security fact: the team comes from the row of the key,
 * or from one that joins the bearer's user to it, whatever the path says; to every other bearer the team
 * does not exist (404).
 */

/**
 * The first line of every route of a team. A key of a team opens that team; a user's API key or an app
 * opens the teams of the user, as their role allows. Throws the problem that says what is missing.
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
  // A key of the user is no second factor: an attacker who knows the password may have made it.
  if (team.requiresStrong && !session?.strong) throw new Problem("strong-proof-required");
  const client = await currentClient();
  return createTeamScope(team, { id: session?.id ?? null, userId: user.id, client });
}
