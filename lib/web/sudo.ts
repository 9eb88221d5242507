import "server-only";
import type { Route } from "next";
import { notFound, redirect } from "next/navigation";
import { sudoPolicy } from "@/lib/auth/policy";
import type { Session } from "@/lib/auth/sessions/lookup";
import { type Draft, packDraft, unpackDraft } from "@/lib/form";
import { readDraftCookie, setDraftCookie } from "./cookies";
import { currentSession, requireSession } from "./session";

/*
 * Owns the guards that want a recent proof of identity (sudo), and the draft that keeps what a user
 * typed while they confirm. The security fact: the database judges the age of the proof, at the lookup
 * of the session.
 */

/** What an action was sent, for the case that the proof has run out: `typedValues` has no secrets. */
export type SubmittedForm = { form: string; values: Record<string, string> };

/**
 * For pages and actions that want a recent proof of who it is; who has none confirms first and
 * comes back to `path`. An action gives what it was sent: then the longer window counts, and the
 * page finds what was typed with `draft(form)`.
 */
export async function requireSudo(path: Route, submitted?: SubmittedForm): Promise<Session> {
  const session = await requireSession(path);
  await requireRecentProof(session, path, submitted);
  return session;
}

/** For administrators, with sudo. For other users there is no such page. */
export async function requireAdmin(path: Route, submitted?: SubmittedForm): Promise<Session> {
  const session = await requireSession(path);
  if (session.user.role !== "admin") notFound();
  await requireRecentProof(session, path, submitted);
  return session;
}

/** `requireSudo` where it depends on what was sent: the session has been asked for already. */
export async function requireRecentProof(
  session: Session,
  path: Route,
  submitted?: SubmittedForm,
): Promise<void> {
  const allowed = session.sudo === "full" || (submitted && session.sudo === "submit-only");
  if (submitted) await keepDraft(session, allowed ? null : submitted);
  if (!allowed) redirect(`/confirm?next=${encodeURIComponent(path)}`);
}

/** What was typed into this form before its user had to confirm; for `<Form draft>`. */
export async function draft(form: string): Promise<Draft | undefined> {
  const [session, packed] = await Promise.all([currentSession(), readDraftCookie()]);
  const values = session && packed ? unpackDraft(packed, session.userId, form) : null;
  return session && values ? { values, confirmed: session.sudo !== "expired" } : undefined;
}

/** In a cookie of this browser, so that only its user has it. Null deletes it: it was used. */
async function keepDraft({ userId }: Session, submitted: SubmittedForm | null): Promise<void> {
  const typed = submitted && Object.keys(submitted.values).length > 0;
  const packed = typed ? packDraft(userId, submitted.form, submitted.values) : null;
  await setDraftCookie(packed, sudoPolicy.submit / 1000);
}
