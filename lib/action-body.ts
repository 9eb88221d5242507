/*
 * Checks whether the body of a POST can be decoded into the call of an action. Next and React throw
 * if it cannot: 500, with a stack in the log. This checks the syntax, not the meaning: only Next
 * knows which actions exist, and the action's schema checks the arguments.
 */

// In characters. Next's parser throws if the head of a part is longer than 16 KiB; the names of our
// fields are far shorter.
const LONGEST_NAME = 1000;

/** An action's id, as Next makes them: a byte of flags and a SHA-1, in hex. */
const actionId = /^[0-9a-f]{42}$/;

/** Whether Next will try to read an action from this request. `id` is its Next-Action header. */
export function isActionRequest(
  method: string,
  id: string | null,
  contentType: string | null,
): boolean {
  return method === "POST" && (id !== null || isMultipart(contentType));
}

/**
 * Returns whether Next can decode the body. `id` is the Next-Action header, which a script sends; a
 * form without JavaScript has the id in its body.
 */
export async function isActionBody(
  body: Uint8Array<ArrayBuffer>,
  id: string | null,
  contentType: string | null,
): Promise<boolean> {
  if (id !== null && !actionId.test(id)) return false;
  if (!isMultipart(contentType)) return isList(new TextDecoder().decode(body));
  let form: FormData;
  try {
    form = await new Response(body, { headers: { "content-type": `${contentType}` } }).formData();
  } catch {
    return false;
  }
  if ([...form.keys()].some((name) => name.length > LONGEST_NAME)) return false;
  // A script sends the arguments as JSON in the part "0"; the parts that they refer to follow.
  return id === null
    ? [...form.keys()].every((name) => isActionField(form, name))
    : isList(form.get("0"));
}

/**
 * Returns false for a malformed hidden field of a form without JavaScript. Every field that is not
 * one of Next's is the action's own.
 */
function isActionField(form: FormData, name: string): boolean {
  const [, kind, rest = ""] = /^\$ACTION_(ID|REF)_(.*)$/s.exec(name) ?? [];
  if (kind === "ID") return actionId.test(rest);
  if (kind !== "REF") return true;
  const reference = form.get(`$ACTION_${rest}:0`);
  if (!isJson(reference)) return false;
  const { id, bound } = Object(JSON.parse(reference));
  // `bound` names the part with the arguments.
  const [, part] = /^\$@(\w+)$/.exec(bound) ?? [];
  return actionId.test(id) && (bound === null || isList(form.get(`$ACTION_${rest}:${part}`)));
}

function isMultipart(contentType: string | null): boolean {
  return /^multipart\/form-data/i.test(contentType ?? "");
}

/** Returns whether the value is a JSON array, as the arguments of a call are written. */
function isList(value: unknown): boolean {
  return isJson(value) && Array.isArray(JSON.parse(value));
}

function isJson(value: unknown): value is string {
  try {
    JSON.parse(value as string); // throws for a file too, which does not print as JSON
    return typeof value === "string";
  } catch {
    return false;
  }
}
