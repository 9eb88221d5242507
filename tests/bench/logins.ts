import { checkPasskey } from "@/lib/auth/credentials/passkeys";
import { hashPassword } from "@/lib/auth/credentials/passwords";
import type { Asked } from "@/lib/auth/credentials/webauthn";
import { finishLogIn, logIn, logInWithPasskey } from "@/lib/auth/login/log-in";
import { step } from "@/lib/commands/terminal";
import { type Connection, connect } from "@/lib/db/client";
import { addSoftPasskey, site } from "@/tests/support/passkeys";
import { addTwoFactor, keys } from "@/tests/support/two-factor";
import { createUser, password } from "@/tests/support/users";
import { type Contestant, type Length, type Race, run, throughput } from "./rounds";

/*
 * What a login costs by password, with a code from an app, and by passkey, next to a bare password
 * hash. The limiter is left out. The row for passkeys includes the authenticator's signature.
 */

const client = { ip: "198.51.100.7", userAgent: null };
/** The number of hashes that Node computes at the same time. */
const IN_FLIGHT = 4;
/** More users than log in during one turn, because a code counts only once. */
const USERS = 400;

export async function loginRace(url: string, length: Length): Promise<Race> {
  const connection = connect(url);
  const contestants = await prepare(connection);
  const title = `Logins, ${IN_FLIGHT} in flight`;
  const results = await step(
    title,
    () => run(contestants, length),
    () => title,
  );
  await connection.sql.end();
  return { title, results, ours: contestants.at(-1)?.name ?? "" };
}

async function prepare({ db, sql }: Connection): Promise<Contestant[]> {
  const browser = { persistent: true, presented: null, knownBrowser: true, client };
  const plain = await Promise.all(Array.from({ length: USERS }, () => createUser(db)));
  const secured = await Promise.all(
    Array.from({ length: USERS }, async () => {
      const user = await createUser(db);
      return { ...user, app: await addTwoFactor(db, user) };
    }),
  );
  const passkeys = await Promise.all(
    Array.from({ length: USERS }, async () => addSoftPasskey(db, await createUser(db))),
  );
  const asked: Asked = { purpose: "log-in", context: "" };
  let logins = 0;
  return [
    contestant("Bare argon2 hash", async () => (await hashPassword(password)) !== ""),
    contestant("By password", async () => {
      const email = `${plain[logins++ % USERS]?.email}`;
      return (await logIn(db, { email, password, ...browser })).ok;
    }),
    contestant(
      "By password and code",
      async () => {
        const n = logins++;
        const next = secured[n % USERS];
        if (!next) return false;
        const { id: userId, email, app } = next;
        const begun = await logIn(db, { email, password, ...browser });
        if (begun.ok || begun.reason !== "code-needed") return false;
        const pending = { token: begun.pending, userId, email };
        // A different known browser each time, because each has a count of its own.
        const finish = { ...browser, known: { id: `${n}`, strong: true }, keys };
        return (await finishLogIn(db, pending, app.code(), finish)).ok;
      },
      () => sql`update totp_secrets set last_step = 0`,
    ),
    contestant("By passkey", async () => {
      const answer = passkeys[logins++ % USERS]?.used(asked) ?? "";
      const read = await checkPasskey(db, site, answer, asked);
      return read.ok && (await logInWithPasskey(db, read.passkey, browser)).ok;
    }),
  ];
}

function contestant(
  name: string,
  call: () => Promise<boolean>,
  before: () => Promise<unknown> = async () => {},
): Contestant {
  const succeeded = async () => {
    if (!(await call())) throw new Error(`${name} was refused.`);
  };
  return {
    name,
    async run(milliseconds) {
      await before();
      await throughput(succeeded, IN_FLIGHT, milliseconds / 4); // warms up
      return throughput(succeeded, IN_FLIGHT, milliseconds);
    },
  };
}
