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
 * Owns the guards of a team's pages and actions. The security fact: the team comes from a row that joins the
 * session's user to it, whatever the URL or a form says; for other users the team does not exist (404).
 */

/**
 * The first line of every page and action of a team. `below` is the page under /t/<handle>, such as
 * "/settings/members": visitors without a session come back to it. 404 for users who are no members, and
 * for members without the right `action`. A member whose session is weaker than the team demands proves
 * more first, or is led to set it up.
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

/** The same with a recent proof of identity, as `requireSudo` wants it. */
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
 * A recent proof of identity where it depends on what was sent: the scope has been asked for already. As
 * strong as the team demands: a weaker one would take the strength that the session has.
 */
export function requireTeamProof(
  { session, handle, requiresStrong }: MemberScope,
  below: string,
  submitted?: SubmittedForm,
): Promise<void> {
  const strongFor = requiresStrong ? "team" : undefined;
  return requireRecentProof(session, teamPath(handle, below), submitted, strongFor);
}

/** A path of this site: a handle is ten letters and digits. */
export function teamPath(handle: string, below = ""): Route {
  return `/t/${handle}${below}` as Route;
}

/** The session's lookup has the team of the URL. Without proxy.ts, which passes the URL on, it is asked here. */
async function withTeam(session: Session, handle: string): Promise<Pick<TeamSession, "team">> {
  if (hasTeam(session) && session.team?.handle === handle) return session;
  const token = await presentedToken();
  const found = token ? getTeamSession(database(), token, handle, session.client) : null;
  return (await found?.catch(redirectIfUnreachable)) ?? { team: null };
}

function hasTeam(session: Session): session is TeamSession {
  return "team" in session;
}
