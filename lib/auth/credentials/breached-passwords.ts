import { createHash } from "node:crypto";
import { passwordPolicy } from "@/lib/auth/policy";
import { breachedPasswordsUrl } from "@/lib/env";

/*
 * Asks a Pwned Passwords service whether a password appeared in a data breach (ASVS 6.2.12),
 * through its range API: the service receives only the first five hexadecimal digits of the SHA-1,
 * which about 2,000 known passwords share, and returns the rest of each. Padding prevents an
 * observer from inferring the digits from the length of the encrypted response.
 * https://haveibeenpwned.com/API/v3#PwnedPasswords
 */

/**
 * Returns false if `rangeUrl` is unset, and if the service does not answer in time or as
 * documented: its failure must not stop sign-ups and resets. The failure is logged, without any
 * part of the password. Never call this inside a transaction: it waits for another server.
 */
export async function isBreached(
  password: string,
  rangeUrl: string | undefined = breachedPasswordsUrl(),
): Promise<boolean> {
  if (!rangeUrl) return false;
  const digest = createHash("sha1").update(password).digest("hex").toUpperCase();
  try {
    const range = await fetchRange(rangeUrl + digest.slice(0, 5));
    return range.split(/\r?\n/).some((line) => isHit(line, digest.slice(5)));
  } catch (error) {
    console.warn(`A new password was not checked for breaches: ${reasonOf(error)}`);
    return false;
  }
}

class WrongAnswer extends Error {}

/** Lines of 35 hexadecimal digits, a colon and a count; padding has the count 0. */
const RANGE = /^[\dA-F]{35}:\d+\r?$/im;

async function fetchRange(url: string): Promise<string> {
  const signal = AbortSignal.timeout(passwordPolicy.breached.timeout);
  const response = await fetch(url, {
    headers: { "Add-Padding": "true" },
    signal,
    redirect: "error",
    cache: "no-store", // Next would store the response on disk
  });
  if (!response.ok) throw new WrongAnswer(`the service answered ${response.status}`);
  const text = await readBounded(response, signal);
  if (!RANGE.test(text)) throw new WrongAnswer("the answer is no range");
  return text;
}

/**
 * Reads the body, limited in time and size. Passing the signal to fetch alone does not reliably
 * stop the reading of the body: once the head has arrived, Node's fetch refers to the signal
 * weakly, so it may be garbage-collected before the time is over.
 */
async function readBounded({ body }: Response, signal: AbortSignal): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body?.pipeThrough(new TransformStream(), { signal }) ?? []) {
    bytes += chunk.length;
    if (bytes > passwordPolicy.breached.maxBytes) throw new WrongAnswer("the answer is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/**
 * Returns only name and code of errors that are not ours: a message could contain the URL, which
 * has five digits of the hash.
 */
function reasonOf(error: unknown): string {
  if (error instanceof WrongAnswer) return error.message;
  if (!(error instanceof Error)) return "unknown error";
  const cause = error.cause instanceof Error && "code" in error.cause ? error.cause.code : "";
  return `${error.name} ${cause}`.trim();
}

function isHit(line: string, suffix: string): boolean {
  const [digits, count] = line.split(":");
  return digits?.toUpperCase() === suffix && Number(count) > 0;
}
