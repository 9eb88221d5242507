import { hash, verify } from "@node-rs/argon2";
import { eq } from "drizzle-orm";
import type { Db } from "@/lib/db/client";
import { passwords, users } from "@/lib/db/schema";
import { passwordPolicy } from "./policy";

/*
 * Owns passwords: what a good one is, how it is hashed, who may be asked about it. The security
 * fact: the hash never leaves this file, and an address without an account costs the same hash as
 * one with. A password counts exactly as typed: never trimmed, normalised or cut.
 */

export type PasswordFault = "too-short" | "too-long" | "common" | "personal";

/**
 * Why a new password is refused, or null. `personal` are words an attacker tries first: the name,
 * the address. The dictionary is that of zxcvbn-ts; it is loaded at the first call and stays on
 * the server.
 */
export async function passwordFault(
  password: string,
  personal: string[],
): Promise<PasswordFault | null> {
  if ([...password].length < passwordPolicy.minLength) return "too-short";
  if (isTooLong(password)) return "too-long";
  const folded = password.toLowerCase();
  if (isPersonal(folded, ["latchkey", ...personal])) return "personal";
  if (await isCommon(folded)) return "common";
  return null;
}

/** Throws on what `passwordFault` would have refused for its length: check that first. */
export async function hashPassword(password: string): Promise<string> {
  if (isTooLong(password)) throw new Error("hashPassword: check passwordFault before hashing.");
  return hash(password, passwordPolicy.argon2);
}

/**
 * Whether this is the password of that address: the user with the version that `createSession`
 * wants, or null. Hashes once whatever the answer, so that its time does not tell which addresses
 * have an account.
 */
export async function verifyPassword(
  db: Db,
  email: string,
  password: string,
): Promise<{
  userId: string;
  authVersion: number;
  deviceEpoch: number;
  role: "user" | "admin";
  suspended: boolean;
} | null> {
  if (isTooLong(password)) return null;
  const decoy = await decoyHash(); // before it is known who needs it: the first call makes it
  const [row] = await db
    .select({
      userId: users.id,
      authVersion: users.authVersion,
      deviceEpoch: users.deviceEpoch,
      role: users.role,
      status: users.status,
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
    deviceEpoch: row.deviceEpoch,
    role: row.role,
    suspended: row.status === "suspended",
  };
}

function isTooLong(password: string): boolean {
  return (
    password.length > passwordPolicy.maxBytes ||
    [...password].length > passwordPolicy.maxLength ||
    Buffer.byteLength(password) > passwordPolicy.maxBytes
  );
}

/** Nothing but such words with some decoration: "latchkey2026!" is, a sentence with it is not. */
function isPersonal(folded: string, words: string[]): boolean {
  const rest = words
    .flatMap((word) => [word, ...word.split(/[@.\s]+/)])
    .map((word) => word.toLowerCase())
    .filter((word) => word.length >= 4)
    .reduce((rest, word) => rest.replaceAll(word, ""), folded);
  return rest !== folded && rest.replace(/[^\p{L}]/gu, "").length < 4;
}

/** In the dictionary, also with digits and signs around it; or a few characters over and over. */
async function isCommon(folded: string): Promise<boolean> {
  const dictionary = await commonPasswords();
  const bare = folded.replace(/^[^\p{L}]+|[^\p{L}]+$/gu, "");
  const repeated = /^(.+?)\1+$/su.exec(folded)?.[1] ?? folded;
  return (
    dictionary.has(folded) || dictionary.has(bare) || repeated.length < passwordPolicy.minLength / 2
  );
}

let common: Promise<Set<string>> | undefined;
function commonPasswords(): Promise<Set<string>> {
  common ??= import("@zxcvbn-ts/language-common").then(
    ({ dictionary }) => new Set(dictionary["passwords-common"]),
  );
  return common;
}

// Made with the current parameters, so that it costs what a real one costs.
let decoy: Promise<string> | undefined;
function decoyHash(): Promise<string> {
  decoy ??= hash("no account has this password", passwordPolicy.argon2);
  return decoy;
}
