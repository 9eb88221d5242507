import "server-only";
import { z } from "zod";
import { sudoPolicy } from "@/lib/auth/policy";
import type { Session } from "@/lib/auth/sessions/lookup";
import type { Draft } from "@/lib/form";
import { readDraftCookie, setDraftCookie } from "./cookies";
import { currentSession } from "./session";

/*
 * Keeps drafts: what a user typed into a form that was submitted without a recent proof of
 * identity, until they have confirmed. Security: a draft is stored in a cookie of this
 * browser, without secrets, and is only shown; nothing is done with it until its user
 * submits the form again.
 */

/**
 * The form that an action received, kept if the proof of identity has expired. `values` come from
 * `typedValues`, which leaves out secrets.
 */
export type SubmittedForm = { form: string; values: Record<string, string> };

/** Returns what was typed into this form before its user had to confirm, for `<Form draft>`. */
export async function draft(form: string): Promise<Draft | undefined> {
  const [session, packed] = await Promise.all([currentSession(), readDraftCookie()]);
  const values = session && packed ? unpackDraft(packed, session.userId, form) : null;
  return session && values ? { values, confirmed: session.sudo !== "expired" } : undefined;
}

/**
 * Stores a draft in a cookie of this browser, so that only its user has it. Null deletes the draft,
 * because it was used.
 */
export async function keepDraft(
  { userId }: Session,
  submitted: SubmittedForm | null,
): Promise<void> {
  const typed = submitted && Object.keys(submitted.values).length > 0;
  const packed = typed ? packDraft(userId, submitted.form, submitted.values) : null;
  await setDraftCookie(packed, sudoPolicy.submit / 1000);
}

/** Encodes a draft with its user and form as a cookie value. Returns null if it is too long. */
export function packDraft(userId: string, form: string, values: Draft["values"]): string | null {
  const packed = Buffer.from(JSON.stringify({ userId, form, values })).toString("base64url");
  return packed.length <= 3800 ? packed : null;
}

/**
 * Returns what this user typed into this form, or null. A client can forge the cookie,
 * so only show the values.
 */
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
