import { createHash } from "node:crypto";
import { isIPv6 } from "node:net";
import { inArray, sql } from "drizzle-orm";
import type { Db } from "@/lib/db/client";
import { rateLimits } from "@/lib/db/schema/rate-limits";
import { hours, minutes } from "./time";

/*
 * Owns how often something may be tried. The generic cell rate algorithm: one number per key (when
 * it will have paid off what it used), so a limit is one statement, exact under any number of
 * parallel callers and shared by all instances. Never call it inside a transaction that may roll
 * back: what was tried was tried.
 */

/** `burst` at once; after that one every `period / burst`, so never more than twice `burst` in a period. */
export const limits = {
  // Guessing one account from one place: NIST SP 800-63B-4 allows 100 in all; users do not mistype 10 times.
  logInPerAccountAndAddress: { burst: 10, period: minutes(15) },
  // The same from one IPv6 /48, whose 65,536 /64 have a count each: twice what one /64 may.
  logInPerAccountAndSite: { burst: 20, period: minutes(15) },
  // Guessing many accounts from one network. An office behind one IP address logs in at nine o'clock.
  logInPerAddress: { burst: 100, period: minutes(15) },
  // The same from one IPv6 /48: three such offices, or the floors of a large one.
  logInPerSite: { burst: 300, period: minutes(15) },
  // The account's own known browsers, whatever others do to it.
  logInPerAccountAndBrowser: { burst: 10, period: minutes(15) },
  // Codes of an authenticator app, per user, or per session or known browser that has logged in with a second
  // factor or a passkey. Of a million codes three are right at any time: at 20 a day, a guess succeeds after
  // 23 years on average.
  secondFactor: { burst: 5, period: minutes(15) },
  secondFactorPerDay: { burst: 20, period: hours(24) },
  // Verifying a signature, and a lookup by an id that cannot be guessed: bounds the work, not the guesses.
  passkeyPerAddress: { burst: 30, period: minutes(15) },
  // Mails that an unauthenticated caller can have sent to one recipient.
  mailPerRecipient: { burst: 3, period: minutes(30) },
  // And to many recipients.
  mailPerAddress: { burst: 20, period: hours(1) },
  // Opening links and trying passwords behind them: 256 bits are safe anyway; this saves hashing.
  redeemPerAddress: { burst: 30, period: minutes(15) },
  // Starting a login with a provider: each leaves a row for some minutes. An office, as for passwords.
  providerPerAddress: { burst: 100, period: minutes(15) },
  // Asking for the own password again, in settings.
  confirmPerUser: { burst: 10, period: minutes(15) },
  // Setting two-factor up, off, and new recovery codes: each but the first sends a mail.
  twoFactorPerUser: { burst: 10, period: hours(1) },
  // Adding, naming and removing passkeys: all but a new name send a mail.
  passkeyPerUser: { burst: 20, period: hours(1) },
  // Connecting and disconnecting accounts: each sends a mail.
  connectPerUser: { burst: 10, period: hours(1) },
  // Each leaves an audit event for a year; a user corrects a typing error or two.
  profilePerUser: { burst: 20, period: minutes(15) },
  // Each reads the whole audit log of its user, who keeps one copy.
  exportPerUser: { burst: 10, period: hours(1) },
  // Each sends a mail, and a user needs few.
  apiKeyPerUser: { burst: 10, period: hours(1) },
  // Ending sessions and revoking keys: a user clicks, a script does not need to.
  endPerUser: { burst: 60, period: minutes(5) },
  // New teams, and changes of one: each leaves an audit event.
  teamPerUser: { burst: 10, period: hours(1) },
  changeTeamPerUser: { burst: 60, period: minutes(5) },
  // Each asks the payment provider.
  billingPerUser: { burst: 20, period: minutes(10) },
  // Each mails the member whose role it is.
  changeRolePerUser: { burst: 20, period: hours(1) },
  // Each sends a mail to an email that the caller chose. A team invites its members on one afternoon.
  invitePerTeam: { burst: 20, period: hours(1) },
  // The same over all teams of the sender, who could make one after the other.
  invitePerUser: { burst: 30, period: hours(1) },
  // And over all teams that invite this email. One team alone is held to mailPerRecipient.
  invitePerRecipient: { burst: 10, period: hours(1) },
  // Writing the product's data: faster than a user types; a script waits.
  writePerUser: { burst: 120, period: minutes(10) },
  // The same for an API key of a team.
  writePerKey: { burst: 300, period: minutes(15) },
  // Acts of an administrator: enough to clean up by hand, too little to suspend all users by script.
  administerPerUser: { burst: 60, period: minutes(5) },
} as const;

export type LimitName = keyof typeof limits;

export type RateLimitResult = { ok: true } | { ok: false; retryAfter: number };

/**
 * Counts one try of `name` for what `parts` name (an account, an IP address), unless there have been
 * too many: then says in how many seconds the next one may be made, and counts nothing.
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

/** Counts one mail that an unauthenticated caller requests: per kind and recipient, and per IP address. */
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
 * Counts the mail of an invitation: per team, sender and recipient. What one team sends to an email is counted
 * for itself first, so that it uses up little of what other teams may send there.
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

/** Forgets what was counted: a right password shows that the tries before it were typing errors. */
export async function resetLimits(
  db: Db,
  keys: [LimitName, ...(string | null)[]][],
): Promise<void> {
  const hashed = keys.map(([name, ...parts]) => keyOf(name, parts));
  await db.delete(rateLimits).where(inArray(rateLimits.key, hashed));
}

/** Housekeeping: a key that has paid off everything is as good as none. */
export async function deleteExpiredLimits(db: Db): Promise<void> {
  await db.delete(rateLimits).where(sql`${rateLimits.tat} < clock_timestamp()`);
}

/**
 * What counts as one IP address: an IPv6 user holds at least a /64, so that is one; an IPv4 address in
 * IPv6 spelling is that address. Requests without a known IP address share one key: not knowing must
 * not mean not counting.
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
 * The IPv6 /48 of an IP address: what one site is commonly assigned (RFC 6177), so one attacker may
 * hold all its /64. Null for IPv4, where `network` is the only count.
 */
export function site(ip: string | null): string | null {
  const prefix = network(ip);
  return prefix.endsWith("::/64") ? prefix.replace(/:[^:]+::\/64$/, "::/48") : null;
}

/** The eight numbers. The URL parser knows every spelling, and has one of its own. */
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
