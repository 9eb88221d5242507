import { setTimeout as sleep } from "node:timers/promises";
import type { Db } from "@/lib/db/client";
import { clear, network, type Taken, take } from "@/lib/limits";
import { logInDelay } from "./policy";

/*
 * Owns how often a login may be tried. The security fact: guessing is limited per account and
 * place, and nobody can lock an owner out: from many places an account's tries are only slowed, and
 * a device that has logged in to the account before has a count of its own.
 */

export type LogInTry = { email: string; ip: string | null; device: string | null };

/** Takes its time (`logInDelay`) where strangers are hammering at the account. */
export async function takeLogIn(db: Db, { email, ip, device }: LogInTry): Promise<Taken> {
  if (device) return take(db, "logInPerAccountAndDevice", email, device);
  const here = await take(db, "logInPerAccountAndAddress", email, network(ip));
  if (!here.ok) return here;
  const address = await take(db, "logInPerAddress", network(ip));
  if (!address.ok) return address;
  const account = await take(db, "logInPerAccount", email);
  if (!account.ok) await sleep(logInDelay);
  return { ok: true };
}

/** After a right password: the account's counts go, the address's stays, or one known account would free it. */
export async function forgiveLogIn(db: Db, { email, ip, device }: LogInTry): Promise<void> {
  await clear(db, [
    ["logInPerAccountAndAddress", email, network(ip)],
    ["logInPerAccount", email],
    ["logInPerAccountAndDevice", email, device],
  ]);
}
