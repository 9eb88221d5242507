import { and, eq, sql } from "drizzle-orm";
import { QueryBuilder } from "drizzle-orm/pg-core";
import { hashToken } from "@/lib/auth/secrets";
import { live, type Sudo, strong, sudo } from "@/lib/auth/sessions/live";
import type { Session } from "@/lib/auth/sessions/lookup";
import type { Db } from "@/lib/db/client";
import { prepared } from "@/lib/db/prepared";
import { sessions } from "@/lib/db/schema/sessions";
import { users } from "@/lib/db/schema/users";
import { findApiKey, findApiKeyById, type PresentedKey, type Scope } from "./api-keys";
import { type AccessClaims, type SigningKeys, type VerifiedClaims, verifyAccessToken } from "./jwt";

/*
 * Identifies the bearer of an API request. Security: a signature alone grants nothing here. The
 * session or the key that a token was issued for is looked up at every request, so ending either
 * takes effect at once.
 */

/** A valid bearer: an app's session, an API key, or a token that such a key was exchanged for. */
export type Bearer = {
  user: Session["user"];
  /** What the bearer may do. An app that its user logged in to may do all that the API offers. */
  scopes: readonly Scope[] | "all";
  /**
   * Set for an app. `sudo`: how recently the user proved their identity, as for a browser's
   * session. `strong`: whether that proof was more than a password.
   */
  session?: { id: string; sudo: Sudo; strong: boolean };
  apiKey?: PresentedKey;
};

/**
 * Returns null if the credential is malformed, not signed by us, expired or revoked, or if its
 * session has ended.
 */
export async function findBearer(
  db: Db,
  presented: string,
  { keys, issuer }: { keys: SigningKeys; issuer: string },
): Promise<Bearer | null> {
  // A JWT has two dots, a key has none.
  if (!presented.includes(".")) return ofKey(await findApiKey(db, presented));
  const claims = await claimsOf(presented, keys, issuer);
  if (!claims) return null;
  return claims.sid ? findSessionBearer(db, claims.sid) : ofServiceToken(db, claims);
}

/**
 * The number of tokens whose claims `claimsOf` caches: about 5 MB. The next one evicts the oldest.
 */
const REMEMBERED = 10_000;

const remembered = new WeakMap<SigningKeys, Map<string, VerifiedClaims>>();

/**
 * Returns the claims of a token, or null. An app sends its token with each request for ten minutes,
 * and checking the signature costs twice as much as looking up the session. So the signature is
 * checked once, and after that only the expiry. The cache is keyed by hash, so that the memory of
 * this process contains no token.
 */
async function claimsOf(
  presented: string,
  keys: SigningKeys,
  issuer: string,
): Promise<VerifiedClaims | null> {
  const known = remembered.get(keys) ?? new Map<string, VerifiedClaims>();
  remembered.set(keys, known);
  const id = hashToken(`${issuer} ${presented}`).toString("base64");
  const before = known.get(id);
  if (before) return before.exp * 1000 > Date.now() ? before : null;
  const claims = await verifyAccessToken(keys.verify, issuer, presented);
  if (!claims) return null;
  const [oldest] = known.size >= REMEMBERED ? known.keys() : [];
  if (oldest !== undefined) known.delete(oldest);
  known.set(id, claims);
  return claims;
}

function ofKey(apiKey: PresentedKey | null): Bearer | null {
  return apiKey && { user: apiKey.user, scopes: apiKey.scopes, apiKey };
}

/** Grants only the scopes that both the token and the key allow. */
async function ofServiceToken(db: Db, { client_id, scope }: AccessClaims): Promise<Bearer | null> {
  const apiKey = client_id ? await findApiKeyById(db, client_id) : null;
  const granted = scope?.split(" ") ?? [];
  const scopes = apiKey?.scopes.filter((each) => granted.includes(each)) ?? [];
  return apiKey && { user: apiKey.user, scopes, apiKey: { ...apiKey, scopes } };
}

async function findSessionBearer(db: Db, sid: string): Promise<Bearer | null> {
  const [row] = await findAppSession(db, { sid });
  if (!row) return null;
  const { user, ...session } = row;
  return { user, scopes: "all", session };
}

/** Finds the live session of an app by the id in its access token. */
const findAppSession = prepared(
  new QueryBuilder()
    .select({
      id: sessions.id,
      sudo,
      strong,
      user: { id: users.id, email: users.email, name: users.name, role: users.role },
    })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(and(eq(sessions.id, sql.placeholder("sid")), eq(sessions.kind, sql`'app'`), live)),
);
