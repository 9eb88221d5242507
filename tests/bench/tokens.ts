import { createApiKey } from "@/lib/auth/tokens/api-keys";
import { findBearer } from "@/lib/auth/tokens/bearer";
import { importSigningKeys, signAccessToken, verifyAccessToken } from "@/lib/auth/tokens/jwt";
import { logInApp } from "@/lib/auth/tokens/log-in";
import { refreshAccessToken } from "@/lib/auth/tokens/refresh";
import { step } from "@/lib/commands/terminal";
import { type Connection, connect } from "@/lib/db/client";
import { privateJwk } from "@/lib/dev/secrets";
import { minutes } from "@/lib/time";
import { createLogin, createUser, password } from "@/tests/support/users";
import { type Contestant, type Length, type Race, run, throughput } from "./rounds";

/*
 * What a bearer token costs per request, with the lookup of its session and by its signature alone,
 * and what a refresh costs, each next to the bare statement of its kind. A token is sent
 * repeatedly, as apps do: its signature is checked only the first time (lib/auth/tokens/bearer.ts).
 */

const issuer = "https://example.com";
const secret = "s".repeat(43);
const client = { ip: "198.51.100.7", userAgent: null };
const IN_FLIGHT = 10;

export async function* tokenRaces(url: string, length: Length): AsyncGenerator<Race> {
  const connection = connect(url);
  const world = await prepare(connection);
  const bearing = { ours: "Signature and session", goal: 0.6 };
  yield race("Bearers", bearing, await bearers(connection, world), length);
  const refreshing = { ours: "refreshAccessToken", goal: 0.4 };
  yield race("Refreshes", refreshing, await refreshes(connection, world), length);
  await connection.sql.end();
}

type World = Awaited<ReturnType<typeof prepare>>;

async function prepare({ db }: Connection) {
  const keys = await importSigningKeys(JSON.stringify({ keys: [privateJwk()] }));
  const user = await createUser(db);
  const logIn = async () => {
    const result = await logInApp(db, { email: user.email, password, deviceName: null, client });
    if (!result.ok) throw new Error(result.reason);
    return result;
  };
  const { session } = await logIn();
  const claims = { sub: user.id, role: "user", sid: session.id } as const;
  const token = await signAccessToken(keys, issuer, claims, minutes(10));
  const login = await createLogin(db, user);
  const created = await createApiKey(db, login.session, {
    ...{ name: "Bench", scopes: ["profile:read"], lifetime: null },
  });
  if (!created.ok) throw new Error(created.reason);
  return { keys, token, sid: session.id, apiKey: created.key, logIn };
}

async function bearers({ db, sql }: Connection, world: World): Promise<Contestant[]> {
  const { keys, token, sid, apiKey } = world;
  return [
    contestant("Bare select by primary key", () =>
      sql.unsafe("select * from sessions where id = $1", [sid]),
    ),
    contestant("Signature alone", () => verifyAccessToken(keys.verify, issuer, token)),
    contestant("Signature and session", () => findBearer(db, token, { keys, issuer })),
    contestant("API key", () => findBearer(db, apiKey, { keys, issuer })),
  ];
}

/** Each caller has its own session, as phones do. */
async function refreshes({ db, sql }: Connection, { logIn }: World): Promise<Contestant[]> {
  const phones = await Promise.all(Array.from({ length: IN_FLIGHT }, logIn));
  const idle = phones.map(({ session, refresh }) => ({ id: session.id, token: refresh.token }));
  const take = async <T>(
    work: (phone: { id: string; token: string }) => Promise<T>,
  ): Promise<T> => {
    const phone = idle.pop();
    if (!phone) throw new Error("More callers than phones.");
    try {
      return await work(phone);
    } finally {
      idle.push(phone);
    }
  };
  const update = "update sessions set last_seen_at = now() where id = $1 returning id";
  return [
    contestant("Bare update by primary key", () => take(({ id }) => sql.unsafe(update, [id]))),
    contestant("refreshAccessToken", () =>
      take(async (phone) => {
        const next = await refreshAccessToken(db, phone.token, { secret, client });
        if (next.ok) phone.token = next.refresh.token;
        return next.ok;
      }),
    ),
  ];
}

function contestant(name: string, call: () => Promise<unknown>): Contestant {
  const found = async () => {
    if (!(await call())) throw new Error(`${name} found nothing.`);
  };
  return {
    name,
    async run(milliseconds) {
      await throughput(found, IN_FLIGHT, milliseconds / 4); // warms up
      return throughput(found, IN_FLIGHT, milliseconds);
    },
  };
}

async function race(
  name: string,
  aim: Pick<Race, "ours" | "goal">,
  contestants: Contestant[],
  length: Length,
): Promise<Race> {
  const title = `${name}, ${IN_FLIGHT} in flight`;
  const results = await step(
    title,
    () => run(contestants, length),
    () => title,
  );
  return { title, results, ...aim };
}
