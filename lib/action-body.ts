/*
 * Whether the body of a POST can be decoded into the call of an action. Next and React throw at one
 * that cannot: 500, with a stack in the log. This checks the form, not the meaning: which actions
 * exist only Next knows, and what the arguments may be the action's schema says.
 */

// Characters. Next's parser throws where the head of a part is longer than 16 KiB; no field of ours comes near.
const LONGEST_NAME = 1000;

/** As Next makes them: a byte of flags and a SHA-1, in hex. */
const actionId = /^[0-9a-f]{42}$/;

/** Whether Next will try to read an action from this request. `id` is its Next-Action header. */
export function isActionRequest(
  method: string,
  id: string | null,
  contentType: string | null,
): boolean {
  return method === "POST" && (id !== null || isMultipart(contentType));
}

/** `id` is the Next-Action header: a script sends it; a form without JavaScript has its id inside. */
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

/** The hidden fields of a form without JavaScript. Every other field is the action's own. */
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

/** As the arguments of a call are written. */
function isList(value: unknown): boolean {
  return isJson(value) && Array.isArray(JSON.parse(value));
}

function isJson(value: unknown): value is string {
  try {
    JSON.parse(value as string); // throws at what is no string, too: no object prints as JSON
    return typeof value === "string";
  } catch {
    return false;
  }
}
