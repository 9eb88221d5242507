import "server-only";
import type { Route } from "next";
import { notFound } from "next/navigation";
import { after } from "next/server";
import { mergeSessionData } from "@/lib/auth/sessions/data";
import type { Session } from "@/lib/auth/sessions/lookup";
import { database } from "@/lib/db/client";
import { getTeamSession, isHandle, type TeamSession } from "@/lib/teams/lookup";
import { can, type TeamAction } from "@/lib/teams/roles";
import { createMemberScope, type MemberScope } from "@/lib/teams/scope";
import { presentedToken } from "./cookies";
import type { SubmittedForm } from "./drafts";
import { redirectIfUnreachable } from "./request";
import { requireSession } from "./session";
import { redirectToStrongProof, requireRecentProof } from "./sudo";

/*
 * Guards a team's pages and actions. Security: the team comes from the row that makes the session's
 * user a member, whatever the URL or a form says; for other users the team does not exist (404).
 */

/**
 * Called on the first line of every page and action of a team. `below` is the page under
 * /t/<handle>, such as "/settings/members", to which visitors without a session come back after
 * login. Responds with 404 to users who are not members, and to members without the right to
 * `action`. Redirects a member whose session is weaker than the team requires to a stronger proof,
 * or to the page that sets one up.
 */
export async function requireTeam(
  handle: unknown,
  below = "",
  action?: TeamAction,
): Promise<MemberScope> {
  if (!isHandle(handle)) notFound();
  const path = teamPath(handle, below);
  const session = await requireSession(path);
  const { team } = await withTeam(session, handle);
  if (!team) notFound();
  if (team.requiresStrong && !session.strong) await redirectToStrongProof(session, path, "team");
  if (action && !can(team.role, action)) notFound();
  if (session.data.lastTeam !== handle)
    after(() => mergeSessionData(database(), session, { lastTeam: handle }));
  return createMemberScope(team, session);
}

/** Like `requireTeam`, with a recent proof of identity as in `requireSudo`. */
export async function requireTeamSudo(
  handle: unknown,
  below: string,
  action: TeamAction,
  submitted?: SubmittedForm,
): Promise<MemberScope> {
  const scope = await requireTeam(handle, below, action);
  await requireTeamProof(scope, below, submitted);
  return scope;
}

/**
 * Requires a recent proof of identity, for an action that needs it only for some input: the caller
 * already has the scope. The proof must be as strong as the team requires, because a weaker one
 * would make the session weaker.
 */
export function requireTeamProof(
  { session, handle, requiresStrong }: MemberScope,
  below: string,
  submitted?: SubmittedForm,
): Promise<void> {
  const strongFor = requiresStrong ? "team" : undefined;
  return requireRecentProof(session, teamPath(handle, below), submitted, strongFor);
}

/** Returns the path of a team's page. It stays on this site: a handle is ten letters and digits. */
export function teamPath(handle: string, below = ""): Route {
  return `/t/${handle}${below}` as Route;
}

/**
 * Returns the team of the URL, which the session's lookup already has. Without proxy.ts, which
 * passes the URL on, it is looked up here.
 */
async function withTeam(session: Session, handle: string): Promise<Pick<TeamSession, "team">> {
  if (hasTeam(session) && session.team?.handle === handle) return session;
  const token = await presentedToken();
  const found = token ? getTeamSession(database(), token, handle, session.client) : null;
  return (await found?.catch(redirectIfUnreachable)) ?? { team: null };
}

function hasTeam(session: Session): session is TeamSession {
  return "team" in session;
}
