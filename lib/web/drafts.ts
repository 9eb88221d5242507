import "server-only";
import { z } from "zod";
import { sudoPolicy } from "@/lib/auth/policy";
import type { Session } from "@/lib/auth/sessions/lookup";
import type { Draft } from "@/lib/form";
import { readDraftCookie, setDraftCookie } from "./cookies";
import { currentSession } from "./session";

/*
 * Owns drafts: what a user typed into a form that was sent without a recent proof of identity, kept while
 * they confirm. The security fact: a draft is in a cookie of this browser, without secrets, and is only
 * shown; nothing is done with it until its user sends the form again.
 */

/** What an action was sent, for the case that the proof has run out: `typedValues` has no secrets. */
export type SubmittedForm = { form: string; values: Record<string, string> };

/** What was typed into this form before its user had to confirm; for `<Form draft>`. */
export async function draft(form: string): Promise<Draft | undefined> {
  const [session, packed] = await Promise.all([currentSession(), readDraftCookie()]);
  const values = session && packed ? unpackDraft(packed, session.userId, form) : null;
  return session && values ? { values, confirmed: session.sudo !== "expired" } : undefined;
}

/** In a cookie of this browser, so that only its user has it. Null deletes it: it was used. */
export async function keepDraft(
  { userId }: Session,
  submitted: SubmittedForm | null,
): Promise<void> {
  const typed = submitted && Object.keys(submitted.values).length > 0;
  const packed = typed ? packDraft(userId, submitted.form, submitted.values) : null;
  await setDraftCookie(packed, sudoPolicy.submit / 1000);
}

/** Whose draft of which form this is, as a cookie's value; null where it is too long for one. */
export function packDraft(userId: string, form: string, values: Draft["values"]): string | null {
  const packed = Buffer.from(JSON.stringify({ userId, form, values })).toString("base64url");
  return packed.length <= 3800 ? packed : null;
}

/** What this user typed into this form, or null. A cookie is its sender's own word: only show it. */
export function unpackDraft(
  packed: string | undefined,
  userId: string,
  form: string,
): Draft["values"] | null {
  try {
    const text = Buffer.from(packed ?? "", "base64url").toString();
    const read = cookieValue.parse(JSON.parse(text));
    return read.userId === userId && read.form === form ? read.values : null;
  } catch {
    return null;
  }
}

const cookieValue = z.object({
  userId: z.string(),
  form: z.string(),
  values: z.record(z.string(), z.string()),
});
