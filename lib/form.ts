import { z } from "zod";

/*
 * How a form's answer reaches its fields: action → useActionState → Field. One shape for every form, and it
 * works without JavaScript because the state is rendered into the HTML.
 */

export type FormState = {
  /** One sentence about the whole form. */
  message?: string;
  /** Where the message leads, as a link after it. A path of this site. */
  help?: { href: string; label: string };
  /** One sentence per field, shown beside it. */
  errors?: Record<string, string>;
  /** What was typed, so that nothing is lost. Never a secret. */
  values?: Record<string, string>;
  /** Set by the form itself, in the browser: the server is of another version and does not have its action. */
  outdated?: boolean;
  /** Shown once and never again, like a new API key. */
  reveal?: string;
  /** For the next use of a passkey: the challenge of this one cannot be used again. */
  passkey?: {
    challenge: string /** The credential id of one that no account has. */;
    unknown?: string;
  };
};

/** A form that was sent too late: what was typed, kept until its user has confirmed who they are. */
export type Draft = { values: Record<string, string> /** They have by now. */; confirmed: boolean };

export type ReadForm<T> = { ok: true; data: T } | { ok: false; state: FormState };

/**
 * The form that an action was called with. The caller chooses the arguments, whatever the action's
 * type says: anything but a form counts as one without fields.
 */
export function formOf(argument: unknown): FormData {
  return argument instanceof FormData ? argument : new FormData();
}

/**
 * A submitted form against its schema. A field that came twice or as a file is an error, not a
 * guess. Fields the schema does not name (Next adds its own) are ignored.
 */
export function readForm<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  argument: FormData,
): ReadForm<z.infer<z.ZodObject<Shape>>> {
  const form = formOf(argument);
  const names = Object.keys(schema.shape);
  const repeated = names.find((name) => form.getAll(name).length > 1);
  if (repeated)
    return { ok: false, state: { errors: { [repeated]: "Send this field only once." } } };

  const input = Object.fromEntries(names.map((name) => [name, form.get(name) ?? undefined]));
  const result = schema.safeParse(input);
  if (result.success) return { ok: true, data: result.data };

  const errors: Record<string, string> = {};
  for (const issue of result.error.issues) errors[String(issue.path[0])] ??= issue.message;
  return { ok: false, state: { errors, values: typedValues(schema, form) } };
}

/** Enough for the longest field, in which browsers send each end of a line as two characters. */
const shownLength = 10_000;

/** What a form shows again after an answer that is not success: all it held but the secrets. */
export function typedValues(
  schema: z.ZodObject<z.ZodRawShape>,
  argument: FormData,
): Record<string, string> {
  const form = formOf(argument);
  const values: Record<string, string> = {};
  for (const [name, field] of Object.entries(schema.shape)) {
    const value = form.get(name);
    if (typeof value === "string" && !isSecret(field)) values[name] = value.slice(0, shownLength);
  }
  return values;
}

/** Also where the secret is wrapped: `password.optional()` and `.transform()` do not inherit the mark. */
function isSecret(field: z.core.$ZodType): boolean {
  if (z.globalRegistry.get(field)?.secret === true) return true;
  const { innerType, in: input, out: output } = field._zod.def as Wrapper;
  return [innerType, input, output].some((part) => part !== undefined && isSecret(part));
}

// What zod's wrapping types keep the wrapped ones under; the others have none of these.
type Wrapper = { innerType?: z.core.$ZodType; in?: z.core.$ZodType; out?: z.core.$ZodType };
