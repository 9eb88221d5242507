import { type Column, type SQL, sql } from "drizzle-orm";
import { apiKeyPolicy } from "@/lib/auth/policy";
import { interval } from "@/lib/db/sql";
import { days } from "@/lib/time";

/*
 * The expiry and the last use of API keys, which the tables `api_keys` and `team_keys` have in
 * common. Security: the database's clock decides, at every request.
 */

type KeyTable = { expiresAt: Column; lastUsedAt: Column };

/** Whether a key has not expired. */
export const notExpired = ({ expiresAt }: KeyTable): SQL =>
  sql`(${expiresAt} is null or ${expiresAt} > now())`;

/** Whether "last used" is due to be updated. */
export const touchDue = ({ lastUsedAt }: KeyTable): SQL<boolean> =>
  sql<boolean>`(${lastUsedAt} is null
    or ${lastUsedAt} < now() - ${interval(apiKeyPolicy.touchInterval)})`;

/** When a new key expires. `lifetime` is in days; null means not until the key is revoked. */
export const endOf = (lifetime: number | null): SQL =>
  lifetime === null ? sql`null` : sql`now() + ${interval(days(lifetime))}`;

/** Whether a key expired so long ago that lists no longer show it. */
export const noLongerShown = ({ expiresAt }: KeyTable): SQL =>
  sql`${expiresAt} < now() - ${interval(apiKeyPolicy.expiredShown)}`;
