import "server-only";
import type { Route } from "next";
import { notFound, redirect } from "next/navigation";
import { hasStrongWay } from "@/lib/auth/credentials/last-way-in";
import type { Session } from "@/lib/auth/sessions/lookup";
import { database } from "@/lib/db/client";
import { keepDraft, type SubmittedForm } from "./drafts";
import { redirectIfUnreachable } from "./request";
import { requireSession } from "./session";
import { waysHere } from "./ways-here";

/*
 * The guards that require a recent proof of identity (sudo). Security: the database judges the age
 * of the proof, when it looks up the session.
 */

/**
 * For pages and actions that require a recent proof of identity. A user without one confirms first
 * and comes back to `path`. An action passes the form it received: then the longer window applies,
 * and the page restores what was typed with `draft(form)` of lib/web/drafts.ts.
 */
export async function requireSudo(path: Route, submitted?: SubmittedForm): Promise<Session> {
  const session = await requireSession(path);
  await requireRecentProof(session, path, submitted);
  return session;
}

/**
 * For administrators, with sudo by more than a password. Other users get 404. An administrator
 * without a passkey or two-factor is redirected to the page that sets it up.
 */
export async function requireAdmin(path: Route, submitted?: SubmittedForm): Promise<Session> {
  const session = await requireSession(path);
  if (session.user.role !== "admin") notFound();
  await requireRecentProof(session, path, submitted, "admin");
  return session;
}

/**
 * Like `requireSudo`, for an action that needs it only for some input: the caller has already
 * looked up the session.
 */
export async function requireRecentProof(
  session: Session,
  path: Route,
  submitted?: SubmittedForm,
  /** Why a password alone is not enough; left out if it is. */
  strongFor?: StrongFor,
): Promise<void> {
  const recent = session.sudo === "full" || (submitted && session.sudo === "submit-only");
  const allowed = recent && (session.strong || !strongFor);
  if (submitted) await keepDraft(session, allowed ? null : submitted);
  if (recent && !allowed && strongFor) await redirectToStrongProof(session, path, strongFor);
  const asked = strongFor ? "&strong=1" : "";
  if (!allowed) redirect(`/confirm?next=${encodeURIComponent(path)}${asked}`);
}

/**
 * What requires more than a password: the administration, a team that requires it of its members,
 * an owner who is about to require it of them, and the deletion of an account with such a team.
 */
export type StrongFor = "admin" | "team" | "team-owner" | "team-deletion";

/**
 * Redirects a session whose last proof was only a password, where that is not enough, to the page
 * that asks for more. A user who has nothing stronger is redirected to the page that sets it up,
 * with the notice `why`.
 */
export async function redirectToStrongProof(
  session: Session,
  path: Route,
  why: StrongFor,
): Promise<never> {
  if (!(await canBeStrong(session))) redirect(`/settings/two-factor?notice=${why}`);
  redirect(`/confirm?next=${encodeURIComponent(path)}&strong=1`);
}

function canBeStrong({ userId }: Session): Promise<boolean> {
  return hasStrongWay(database(), userId, waysHere()).catch(redirectIfUnreachable);
}
