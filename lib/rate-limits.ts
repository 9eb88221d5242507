import { createHash } from "node:crypto";
import { isIPv6 } from "node:net";
import { inArray, sql } from "drizzle-orm";
import type { Db } from "@/lib/db/client";
import { rateLimits } from "@/lib/db/schema/rate-limits";
import { hours, minutes } from "./time";

/*
 * Limits how often something may be tried, by the generic cell rate algorithm (GCRA): one number
 * per key (the time when its full burst is available again), so that a check is one statement,
 * exact for any number of concurrent callers and shared by all instances. Never call it inside a
 * transaction that may roll back, because the try must stay counted.
 */

/** `burst` tries at once, then one every `period / burst`: at most twice `burst` in a period. */
export const limits = {
  // Guesses at one account from one IP address. NIST SP 800-63B-4 allows 100 in all; users do not
  // mistype 10 times.
  logInPerAccountAndAddress: { burst: 10, period: minutes(15) },
  // Guesses at one account from one IPv6 /48, whose 65,536 /64s are each counted separately: twice
  // what one /64 may.
  logInPerAccountAndSite: { burst: 20, period: minutes(15) },
  // Guesses at many accounts from one network. At nine, an office logs in from one IP address.
  logInPerAddress: { burst: 100, period: minutes(15) },
  // Guesses at many accounts from one IPv6 /48: three such offices, or the floors of a large one.
  logInPerSite: { burst: 300, period: minutes(15) },
  // Logins from one of the account's known browsers, which other callers cannot use up.
  logInPerAccountAndBrowser: { burst: 10, period: minutes(15) },
  // Codes of an authenticator app, per user, or per session or known browser that has logged in
  // with a second factor or a passkey. Three of a million codes are valid at any time: at 20 a day,
  // guessing one takes 46 years on average.
  secondFactor: { burst: 5, period: minutes(15) },
  secondFactorPerDay: { burst: 20, period: hours(24) },
  // Verifying a signature, and looking up an id that cannot be guessed. This bounds the
  // work, not the guesses.
  passkeyPerAddress: { burst: 30, period: minutes(15) },
  // Mails that an unauthenticated caller can have sent to one recipient.
  mailPerRecipient: { burst: 3, period: minutes(30) },
  // Mails that an unauthenticated caller can have sent to many recipients.
  mailPerAddress: { burst: 20, period: hours(1) },
  // Opening links and trying passwords behind them. 256 bits are safe anyway; this saves hashing.
  redeemPerAddress: { burst: 30, period: minutes(15) },
  // Starting a login with a provider: each leaves a row for some minutes. Sized for an
  // office, as for passwords.
  providerPerAddress: { burst: 100, period: minutes(15) },
  // Confirming the user's own password again, in settings.
  confirmPerUser: { burst: 10, period: minutes(15) },
  // Setting two-factor up, turning it off, renewing recovery codes: the last two send a mail.
  twoFactorPerUser: { burst: 10, period: hours(1) },
  // Adding, renaming and removing passkeys: all but renaming send a mail.
  passkeyPerUser: { burst: 20, period: hours(1) },
  // Connecting and disconnecting accounts: each sends a mail.
  connectPerUser: { burst: 10, period: hours(1) },
  // Changes of the profile: each leaves an audit event for a year. A user corrects
  // a typing error or two.
  profilePerUser: { burst: 20, period: minutes(15) },
  // Each export reads the whole audit log of its user, who keeps one copy.
  exportPerUser: { burst: 10, period: hours(1) },
  // Each new key sends a mail, and a user needs few.
  apiKeyPerUser: { burst: 10, period: hours(1) },
  // Ending sessions and revoking keys: enough for clicks by hand; no script needs to do this.
  endPerUser: { burst: 60, period: minutes(5) },
  // Creating and changing teams: each leaves an audit event.
  teamPerUser: { burst: 10, period: hours(1) },
  changeTeamPerUser: { burst: 60, period: minutes(5) },
  // Each sends requests to the payment provider.
  billingPerUser: { burst: 20, period: minutes(10) },
  // Each change of a role mails the member.
  changeRolePerUser: { burst: 20, period: hours(1) },
  // Each invitation sends a mail to an email that the caller chose. A team invites its
  // members on one afternoon.
  invitePerTeam: { burst: 20, period: hours(1) },
  // Invitations from one sender over all teams, because one user could create
  // teams one after the other.
  invitePerUser: { burst: 30, period: hours(1) },
  // Invitations to one email over all teams. A single team is limited by mailPerRecipient.
  invitePerRecipient: { burst: 10, period: hours(1) },
  // Writing the product's data: faster than a user types; a script waits.
  writePerUser: { burst: 120, period: minutes(10) },
  // Writing the product's data with an API key of a team.
  writePerKey: { burst: 300, period: minutes(15) },
  // Actions of an administrator: enough to clean up by hand, too few to
  // suspend all users by script.
  administerPerUser: { burst: 60, period: minutes(5) },
} as const;

export type LimitName = keyof typeof limits;

export type RateLimitResult = { ok: true } | { ok: false; retryAfter: number };

/**
 * Counts one try of `name` for the subject in `parts` (an account, an IP address). If there have
 * been too many, counts nothing and returns in how many seconds the next try is allowed.
 */
export async function consume(
  db: Db,
  name: LimitName,
  ...parts: (string | null)[]
): Promise<RateLimitResult> {
  const key = keyOf(name, parts);
  const { burst, period } = limits[name];
  const cost = `${period / burst} milliseconds`;
  const capacity = `${period} milliseconds`;
  const [taken] = await db.execute(sql`
    insert into ${rateLimits} as r (key, tat) values (${key}, clock_timestamp() + ${cost}::interval)
    on conflict (key) do update set tat = greatest(r.tat, clock_timestamp()) + ${cost}::interval
    where greatest(r.tat, clock_timestamp()) + ${cost}::interval - clock_timestamp() <= ${capacity}::interval
    returning tat`);
  if (taken) return { ok: true };

  const [row] = await db.execute<{ seconds: number }>(sql`
    select ceil(extract(epoch from tat + ${cost}::interval - ${capacity}::interval - clock_timestamp()))::int
      as seconds from ${rateLimits} where key = ${key}`);
  return { ok: false, retryAfter: Math.max(1, row?.seconds ?? 1) };
}

/**
 * Counts one mail that an unauthenticated caller requests: per kind and
 * recipient, and per IP address.
 */
export async function consumeMail(
  db: Db,
  kind: string,
  to: string,
  ip: string | null,
): Promise<RateLimitResult> {
  const sender = await consume(db, "mailPerAddress", network(ip));
  return sender.ok ? consume(db, "mailPerRecipient", kind, to) : sender;
}

/**
 * Counts the mail of an invitation, per team, sender and recipient. The mails of one team to one
 * email have their own limit, which is checked first, so that a team uses up little of what other
 * teams may send to that email.
 */
export async function consumeInvitation(
  db: Db,
  { teamId, senderId }: { teamId: string; senderId: string },
  to: string,
): Promise<RateLimitResult> {
  const counted: [LimitName, ...string[]][] = [
    ["invitePerTeam", teamId],
    ["invitePerUser", senderId],
    ["mailPerRecipient", `invitation ${teamId}`, to],
    ["invitePerRecipient", to],
  ];
  for (const [name, ...parts] of counted) {
    const taken = await consume(db, name, ...parts);
    if (!taken.ok) return taken;
  }
  return { ok: true };
}

/** Resets counts, because a correct password shows that the tries before it were typing errors. */
export async function resetLimits(
  db: Db,
  keys: [LimitName, ...(string | null)[]][],
): Promise<void> {
  const hashed = keys.map(([name, ...parts]) => keyOf(name, parts));
  await db.delete(rateLimits).where(inArray(rateLimits.key, hashed));
}

/** Housekeeping: deletes the keys whose full burst is available again, which limit nothing. */
export async function deleteExpiredLimits(db: Db): Promise<void> {
  await db.delete(rateLimits).where(sql`${rateLimits.tat} < clock_timestamp()`);
}

/**
 * Returns what counts as one IP address. An IPv6 user holds at least a /64, so that is one; an
 * IPv4-mapped IPv6 address is its IPv4 address. Requests without a known IP address share one key,
 * so that they are counted too.
 */
export function network(ip: string | null): string {
  if (!ip) return "unknown";
  if (!isIPv6(ip)) return ip;
  const groups = groupsOf(ip);
  const [high = 0, low = 0] = groups.slice(6);
  if (groups.slice(0, 6).join() === "0,0,0,0,0,65535")
    return [high >> 8, high & 255, low >> 8, low & 255].join(".");
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(":")}::/64`;
}

/**
 * Returns the IPv6 /48 of an IP address. A site is commonly assigned a /48 (RFC 6177), so one
 * attacker may hold all its /64s. Null for IPv4, where only `network` is counted.
 */
export function site(ip: string | null): string | null {
  const prefix = network(ip);
  return prefix.endsWith("::/64") ? prefix.replace(/:[^:]+::\/64$/, "::/48") : null;
}

/** Returns the eight groups of an IPv6 address. The URL parser turns every notation into one. */
function groupsOf(ip: string): number[] {
  const { hostname } = new URL(`http://[${ip.replace(/%.*$/, "")}]`);
  const [left = [], right = []] = hostname
    .slice(1, -1)
    .split("::")
    .map((part) => part.split(":").filter(Boolean));
  const gap = Array(8 - left.length - right.length).fill("0");
  return [...left, ...gap, ...right].map((group) => Number.parseInt(group, 16));
}

function keyOf(name: LimitName, parts: (string | null)[]): string {
  const subject = createHash("sha256").update(JSON.stringify(parts)).digest("base64url");
  return `${name}:${subject}`;
}
