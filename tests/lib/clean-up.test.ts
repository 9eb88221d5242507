import { sql as query, type SQL } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { createLink } from "@/lib/auth/links";
import { countLogInAttempt } from "@/lib/auth/login/attempts";
import { addMail } from "@/lib/auth/mails/jobs";
import { auditRetention, givenUpJobRetention, logInPolicy, sessionPolicy } from "@/lib/auth/policy";
import { createSignUp } from "@/lib/auth/sign-up-links";
import { cleanUp, cleanUpNightly } from "@/lib/clean-up";
import { consume } from "@/lib/rate-limits";
import { teamPolicy } from "@/lib/teams/policy";
import { minutes } from "@/lib/time";
import { span } from "@/tests/support/ages";
import { db, sql } from "@/tests/support/database";
import { addSessions, eventKinds, sessionRows, wholeDatabase } from "@/tests/support/rows";
import { createOwnedTeam, insertInvitation } from "@/tests/support/teams";
import { createLogin, createUser } from "@/tests/support/users";

describe("cleanUp", () => {
  it("deletes expired rows of every kind, and keeps all others", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    await addSessions(user, 3, "-1 second");
    await createSignUp(db, "late@example.com");
    await createSignUp(db, "waiting@example.com");
    await sql`
      update pending_sign_ups set expires_at = now() - interval '1 second'
      where email = 'late@example.com'`;
    const link = { userId: user.id, sentTo: user.email };
    await createLink(db, { ...link, purpose: "password-reset" });
    await createLink(db, { ...link, purpose: "not-me" });
    await sql`update links set expires_at = now() - interval '1 second' where purpose = 'not-me'`;
    await consume(db, "confirmPerUser", "paid off");
    await sql`update rate_limits set tat = now() - interval '1 second'`;
    await consume(db, "confirmPerUser", "owing");
    await countLogInAttempt(db, "long-ago@example.com");
    await sql`update log_in_attempts set tat = now() - ${logInPolicy.remembered / 1000 + 1} * interval '1 second'`;
    await countLogInAttempt(db, "lately@example.com");
    await sql`update log_in_attempts set tat = tat - ${logInPolicy.remembered / 1000 - 60} * interval '1 second' where tat > now()`;
    const { team, owner } = await createOwnedTeam(db);
    for (const email of ["expired-long-ago@example.com", "invited@example.com"])
      await insertInvitation(db, team, owner.user, { email });
    await sql`
      update invitations set expires_at = now() - ${span(teamPolicy.expiredInvitation + 1000)}::interval
      where email = 'expired-long-ago@example.com'`;

    await cleanUp(db);

    expect((await sessionRows(user)).map(({ id }) => id)).toEqual([session.id]);
    const signUps = await sql`select email from pending_sign_ups`;
    expect(signUps.map(({ email }) => email)).toEqual(["waiting@example.com"]);
    const links = await sql`select purpose from links`;
    expect(links.map(({ purpose }) => purpose)).toEqual(["password-reset"]);
    expect(await sql`select from rate_limits`).toHaveLength(1);
    expect(await sql`select from log_in_attempts`).toHaveLength(1);
    expect(await sql`select email from invitations`).toEqual([{ email: "invited@example.com" }]);
  });

  it("may run in two instances at once", async () => {
    const user = await createUser(db);
    await addSessions(user, 500, "-1 second");
    await Promise.all([cleanUp(db), cleanUp(db), cleanUpNightly(db), cleanUpNightly(db)]);
    expect(await sessionRows(user)).toEqual([]);
  });
});

describe("cleanUpNightly", () => {
  it("deletes sessions past their own idle time, and keeps the others", async () => {
    const user = await createUser(db);
    const remembered = [await createLogin(db, user), await createLogin(db, user)];
    const forgotten = [
      await createLogin(db, user, { persistent: false }),
      await createLogin(db, user, { persistent: false }),
    ];
    const unseen = (id: string | undefined, since: number) =>
      sql`update sessions set last_seen_at = now() - ${span(since)}::interval where id = ${`${id}`}`;
    const { persistent, temporary } = sessionPolicy;
    await unseen(remembered[0]?.session.id, persistent.idle);
    await unseen(remembered[1]?.session.id, persistent.idle - minutes(1));
    await unseen(forgotten[0]?.session.id, temporary.idle);
    await unseen(forgotten[1]?.session.id, temporary.idle - minutes(1));

    await cleanUpNightly(db);

    const left = (await sessionRows(user)).map(({ id }) => id);
    expect(left.sort()).toEqual([remembered[1]?.session.id, forgotten[1]?.session.id].sort());
  });

  it("deletes jobs that were given up long ago, and keeps the others", async () => {
    const add = async (name: string, attempts: SQL, age: number) => {
      await addMail(db, "farewell", { to: `${name}@example.com`, name });
      await db.execute(query`
        update graphile_worker._private_jobs set attempts = ${attempts},
          updated_at = now() - ${age} * interval '1 second' where payload->>'name' = ${name}`);
    };
    const retention = givenUpJobRetention / 1000;
    await add("given-up-long-ago", query`max_attempts`, retention + 1);
    await add("given-up-lately", query`max_attempts`, retention - 60);
    await add("still-tried", query`max_attempts - 1`, retention + 1);

    await cleanUpNightly(db);

    const everything = await wholeDatabase();
    expect(everything).not.toContain("given-up-long-ago");
    expect(everything).toContain("given-up-lately@example.com");
    expect(everything).toContain("still-tried@example.com");
  });

  it("deletes events older than the retention, and keeps newer ones", async () => {
    const user = await createUser(db);
    const add = (kind: string, age: number) => sql`
      insert into audit_events (kind, user_id, at)
      values (${kind}, ${user.id}, now() - ${age} * interval '1 second')`;
    await add("logged-in", auditRetention / 1000 + 1);
    await add("logged-out", auditRetention / 1000 - 60);

    await cleanUpNightly(db);

    expect(await eventKinds(user)).toEqual(["logged-out"]);
  });
});
