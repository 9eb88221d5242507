import { z } from "zod";

/*
 * How an action's answer reaches the fields of its form: action → useActionState → Field.
 * Every form uses the same shape. It works without JavaScript, because the state is
 * rendered into the HTML.
 */

export type FormState = {
  /** One sentence about the whole form. */
  message?: string;
  /** A link after the message, to a path of this site. */
  help?: { href: string; label: string };
  /** One sentence per field, shown beside it. */
  errors?: Record<string, string>;
  /** What was typed, so that nothing is lost. Never a secret. */
  values?: Record<string, string>;
  /** Set by the form, in the browser: the server runs another version, without this action. */
  outdated?: boolean;
  /** Shown once and never again, like a new API key. */
  reveal?: string;
  /** For the next use of a passkey, because a challenge cannot be used again. */
  passkey?: {
    challenge: string;
    /** The credential id of a passkey that no account has. */
    unknown?: string;
  };
};

/**
 * A form that was submitted too late: what was typed, kept until its user has confirmed their
 * identity. `confirmed` if they have by now.
 */
export type Draft = { values: Record<string, string>; confirmed: boolean };

export type ReadForm<T> = { ok: true; data: T } | { ok: false; state: FormState };

/**
 * Returns the form that an action was called with. A caller can pass any argument, whatever the
 * action's type is: anything but a form counts as one without fields.
 */
export function formOf(argument: unknown): FormData {
  return argument instanceof FormData ? argument : new FormData();
}

/**
 * Parses a submitted form with its schema. A field that was sent twice or as a file is an error.
 * Fields that the schema does not have (Next adds its own) are ignored.
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

/** Enough for the longest field. Browsers send each line break as two characters. */
const shownLength = 10_000;

/** Returns what a form shows again after an answer other than success: all fields but secrets. */
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

/**
 * Returns whether a field is a secret, also if it is wrapped: `password.optional()` and
 * `.transform()` do not inherit the mark.
 */
function isSecret(field: z.core.$ZodType): boolean {
  if (z.globalRegistry.get(field)?.secret === true) return true;
  const { innerType, in: input, out: output } = field._zod.def as Wrapper;
  return [innerType, input, output].some((part) => part !== undefined && isSecret(part));
}

// Where zod's wrapping types keep the wrapped ones. The others have none of these properties.
type Wrapper = { innerType?: z.core.$ZodType; in?: z.core.$ZodType; out?: z.core.$ZodType };
