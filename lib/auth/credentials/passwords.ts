import { hash, verify } from "@node-rs/argon2";
import { eq } from "drizzle-orm";
import { passwordPolicy } from "@/lib/auth/policy";
import { hasTwoFactor } from "@/lib/auth/sessions/live";
import type { Db } from "@/lib/db/client";
import { passwords } from "@/lib/db/schema/passwords";
import { users } from "@/lib/db/schema/users";
import { product } from "@/lib/product";
import { isBreached } from "./breached-passwords";

/*
 * Owns passwords: which new ones are refused, how they are hashed and compared. The security facts:
 * the hash never leaves this file, and an email without an account costs the same hash as one with.
 * A password counts exactly as typed: never trimmed, normalised or cut.
 */

/** What a form says about a new password that is refused. */
export const passwordFaults = {
  "too-short": `Use at least ${passwordPolicy.minLength} characters.`,
  "too-long": `Use at most ${passwordPolicy.maxLength} characters.`,
  personal: "This is little more than your name, your email or our name. Choose another one.",
  common: "This password is on the lists that attackers try first. Choose another one.",
  guessable: "This password is easy to guess. Use three or more unrelated words.",
  breached: "This password has appeared in a data breach. Choose another one.",
};

export type PasswordFault = keyof typeof passwordFaults;

/**
 * Why a new password is refused, or null. `personal` are words that an attacker tries first: the
 * name and the email; the product's own words are added. The last check is a request to another
 * server (breached-passwords.ts), so never call this inside a transaction.
 */
export async function passwordFault(
  password: string,
  personal: string[],
): Promise<PasswordFault | null> {
  if ([...password].length < passwordPolicy.minLength) return "too-short";
  if (isTooLong(password)) return "too-long";
  const folded = password.toLowerCase();
  const words = wordsOf([...product.blockedPasswordWords, ...personal]);
  if (isPersonal(folded, words)) return "personal";
  const { common, guesses } = await loadEstimator();
  if (common.has(folded)) return "common";
  // Written so that a result that is not a number refuses the password.
  if (!(guesses(password, words) >= passwordPolicy.minGuesses)) return "guessable";
  if (await isBreached(password)) return "breached";
  return null;
}

/** Throws on what `passwordFault` would have refused for its length: check that first. */
export async function hashPassword(password: string): Promise<string> {
  if (isTooLong(password)) throw new Error("hashPassword: check passwordFault before hashing.");
  return hash(password, passwordPolicy.argon2);
}

/**
 * Whether this is the password of that email: the user with the version that `createSession`
 * wants, or null. Hashes once whatever the answer, so that its time does not tell which emails
 * have an account.
 */
export async function verifyPassword(
  db: Db,
  email: string,
  password: string,
): Promise<{
  userId: string;
  authVersion: number;
  browserEpoch: number;
  role: "user" | "admin";
  suspended: boolean;
  /** A second factor has to follow. Read in the same row, so that it fits the version. */
  twoFactor: boolean;
} | null> {
  if (isTooLong(password)) return null;
  const decoy = await decoyHash(); // before it is known who needs it: the first call makes it
  const [row] = await db
    .select({
      userId: users.id,
      authVersion: users.authVersion,
      browserEpoch: users.browserEpoch,
      role: users.role,
      status: users.status,
      twoFactor: hasTwoFactor(users.id),
      hash: passwords.hash,
    })
    .from(users)
    .innerJoin(passwords, eq(passwords.userId, users.id))
    .where(eq(users.email, email));

  const correct = await verify(row?.hash ?? decoy, password);
  if (!row || !correct) return null;
  return {
    userId: row.userId,
    authVersion: row.authVersion,
    browserEpoch: row.browserEpoch,
    role: row.role,
    suspended: row.status === "suspended",
    twoFactor: row.twoFactor,
  };
}

/** Whether the user has one: accounts with another way to log in may have none. */
export async function hasPassword(db: Db, userId: string): Promise<boolean> {
  const rows = await db
    .select({ userId: passwords.userId })
    .from(passwords)
    .where(eq(passwords.userId, userId));
  return rows.length === 1;
}

function isTooLong(password: string): boolean {
  return (
    password.length > passwordPolicy.maxBytes ||
    [...password].length > passwordPolicy.maxLength ||
    Buffer.byteLength(password) > passwordPolicy.maxBytes
  );
}

/** Each as it is, and its parts: the local part of an email, the names of a full name. */
function wordsOf(personal: string[]): string[] {
  return personal
    .flatMap((word) => [word, ...word.split(/[@.\s]+/)])
    .map((word) => word.toLowerCase())
    .filter((word) => word.length >= 4);
}

/** Nothing but such words with some decoration: "<name>2026!" is, a sentence with it is not. */
function isPersonal(folded: string, words: string[]): boolean {
  const rest = words.reduce((rest, word) => rest.replaceAll(word, ""), folded);
  return rest !== folded && rest.replace(/[^\p{L}]/gu, "").length < 4;
}

type Estimator = {
  /** The common passwords that are long enough to be chosen here, in lower case. */
  common: Set<string>;
  /** How many guesses an attacker needs who knows the dictionaries and these words. */
  guesses(password: string, words: string[]): number;
};

// zxcvbn and its dictionaries cost 50 MB of memory and a third of a second of CPU, so they are
// loaded at the first new password, once per process, and never sent to a browser.
let estimator: Promise<Estimator> | undefined;
function loadEstimator(): Promise<Estimator> {
  estimator ??= buildEstimator();
  return estimator;
}

async function buildEstimator(): Promise<Estimator> {
  const [{ ZxcvbnFactory }, language, english, list] = await Promise.all([
    import("@zxcvbn-ts/core"),
    import("@zxcvbn-ts/language-common"),
    import("@zxcvbn-ts/language-en"),
    import("./common-passwords.json"),
  ]);
  const { passwords } = list.default;
  const zxcvbn = new ZxcvbnFactory({
    dictionary: { ...language.dictionary, ...english.dictionary, "passwords-long": passwords },
    graphs: language.adjacencyGraphs,
    maxLength: passwordPolicy.estimate.maxLength,
    l33tMaxSubstitutions: passwordPolicy.estimate.maxSubstitutions,
  });
  return {
    common: new Set(
      [...language.dictionary["passwords-common"], ...passwords].filter(
        (word) => word.length >= passwordPolicy.minLength,
      ),
    ),
    guesses: (password, words) => zxcvbn.check(repeatedPart(password), words).guesses,
  };
}

/** "abcd" of "abcdabcd", else all of it: repeating a part makes it no harder to guess. */
function repeatedPart(password: string): string {
  return /^(.+?)\1+$/su.exec(password)?.[1] ?? password;
}

// Made with the current parameters, so that it costs what a real one costs.
let decoy: Promise<string> | undefined;
function decoyHash(): Promise<string> {
  decoy ??= hash("no account has this password", passwordPolicy.argon2);
  return decoy;
}
