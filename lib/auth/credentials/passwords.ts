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
 * Checks new passwords, and hashes and verifies passwords. Security: the hash never leaves this
 * file, and an email without an account costs the same hash as one with an account. A password
 * counts exactly as typed: it is never trimmed, normalised or cut.
 */

/** The messages that a form shows about a new password that is refused. */
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
 * Returns why a new password is refused, or null. `personal` contains words that an attacker tries
 * first: the name and the email; the product's own words are added. The last check is a request to
 * another server (breached-passwords.ts), so never call this inside a transaction.
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

/** Hashes a password. Throws if it is longer than `passwordFault` allows: check that first. */
export async function hashPassword(password: string): Promise<string> {
  if (isTooLong(password)) throw new Error("hashPassword: check passwordFault before hashing.");
  return hash(password, passwordPolicy.argon2);
}

/**
 * Returns the user of this email with the version that `createSession` requires, or null if the
 * password is wrong. Hashes once with or without an account, so that the time does not reveal which
 * emails have one.
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
  /** Whether a second factor must follow. Read in one row with the version, so that they match. */
  twoFactor: boolean;
} | null> {
  if (isTooLong(password)) return null;
  // The first call creates it, so await it before it is known whether it is needed.
  const decoy = await decoyHash();
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

/** Reports whether the user has a password: accounts with another way to log in may have none. */
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

/** Returns each word and its parts: the local part of an email, the names of a full name. */
function wordsOf(personal: string[]): string[] {
  return personal
    .flatMap((word) => [word, ...word.split(/[@.\s]+/)])
    .map((word) => word.toLowerCase())
    .filter((word) => word.length >= 4);
}

/**
 * Reports whether a password is only such words with some decoration, as "<name>2026!" is and a
 * sentence with the name is not.
 */
function isPersonal(folded: string, words: string[]): boolean {
  const rest = words.reduce((rest, word) => rest.replaceAll(word, ""), folded);
  return rest !== folded && rest.replace(/[^\p{L}]/gu, "").length < 4;
}

type Estimator = {
  /** The common passwords that are long enough to be allowed here, in lower case. */
  common: Set<string>;
  /** Returns how many guesses an attacker who knows the dictionaries and these words needs. */
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

/** Returns "abcd" for "abcdabcd", else the password: a repeated part is no harder to guess. */
function repeatedPart(password: string): string {
  return /^(.+?)\1+$/su.exec(password)?.[1] ?? password;
}

// Made with the current parameters, so that it costs as much as a real one.
let decoy: Promise<string> | undefined;
function decoyHash(): Promise<string> {
  decoy ??= hash("no account has this password", passwordPolicy.argon2);
  return decoy;
}
