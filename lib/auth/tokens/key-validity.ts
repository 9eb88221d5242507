import { type Column, type SQL, sql } from "drizzle-orm";
import { apiKeyPolicy } from "@/lib/auth/policy";
import { interval } from "@/lib/db/sql";
import { days } from "@/lib/time";

/*
 * Owns the times of API keys, of users and of teams: what the tables `api_keys` and `team_keys` have in
 * common. The security fact: the database's clock judges them, at every request.
 */

type KeyTable = { expiresAt: Column; lastUsedAt: Column };

/** Whether a key has not expired. */
export const notExpired = ({ expiresAt }: KeyTable): SQL =>
  sql`(${expiresAt} is null or ${expiresAt} > now())`;

/** Whether "last used" is older than it may be. */
export const touchDue = ({ lastUsedAt }: KeyTable): SQL<boolean> =>
  sql<boolean>`(${lastUsedAt} is null
    or ${lastUsedAt} < now() - ${interval(apiKeyPolicy.touchInterval)})`;

/** When a new key expires: `lifetime` in days, null: when it is revoked. */
export const endOf = (lifetime: number | null): SQL =>
  lifetime === null ? sql`null` : sql`now() + ${interval(days(lifetime))}`;

/** Whether a key expired so long ago that its list does not show it any more. */
export const noLongerShown = ({ expiresAt }: KeyTable): SQL =>
  sql`${expiresAt} < now() - ${interval(apiKeyPolicy.expiredShown)}`;
