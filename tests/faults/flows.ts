import { unknownClient } from "@/lib/audit";
import { findStartedApp } from "@/lib/auth/credentials/two-factor";
import { createLink } from "@/lib/auth/links";
import { createAppSession } from "@/lib/auth/sessions/create";
import { createSignUp } from "@/lib/auth/sign-up-links";
import { createRefreshToken } from "@/lib/auth/tokens/refresh";
import type { Connection } from "@/lib/db/client";
import type { App } from "@/tests/support/app";
import { type TestProvider, webhookSecret } from "@/tests/support/billing";
import { type Answer, type HttpClient, httpClient } from "@/tests/support/http-client";
import { actionNamed, type Fields, formBody, pathOf } from "@/tests/support/surface";
import { addTeam, inviteFrom } from "@/tests/support/team-surface";
import { authenticator, keys } from "@/tests/support/two-factor";
import { createLogin, createUser, newPassword, password } from "@/tests/support/users";

/*
 * What users do in several steps. Each step lists the facts that it makes true: after a kill, all
 * of them or none must hold. No worker runs, so a promised mail is found as its job, and the flows
 * create links as the mail would.
 */

export type Step = {
  name: string;
  send(): Promise<Answer>;
  /** Returns a boolean for each fact that the step makes true. */
  facts(): Promise<boolean[]>;
};

export type Site = { app: App; connection: Connection; payments: TestProvider };

export type Flow = (site: Site) => Promise<Step[]>;

function act(visitor: HttpClient, name: string, fields: Fields): Promise<Answer> {
  const action = actionNamed(name);
  return visitor.post(pathOf(action, fields), formBody(action, fields));
}

/** Creates a user with two devices; `visitor` is one of them. */
async function loggedIn({ app, connection }: Site) {
  const user = await createUser(connection.db);
  const other = await createLogin(connection.db, user);
  const { token, session } = await createLogin(connection.db, user);
  const [row] = await connection.sql`select hash from passwords where user_id = ${user.id}`;
  const visitor = httpClient(app, token);
  return { user, session, hash: `${row?.hash}`, other: other.session.id, visitor };
}

/** Queries the facts, each an SQL expression in its own `select`. */
const facts =
  ({ connection }: Site, ...expressions: [text: string, ...parameters: string[]][]) =>
  async () => {
    const answers = expressions.map(async ([text, ...parameters]) => {
      const [row] = await connection.sql.unsafe<{ fact: boolean }[]>(
        `select (${text}) as fact`,
        parameters,
      );
      return row?.fact === true;
    });
    return Promise.all(answers);
  };

const mail = (kind: string, to: string): [string, string, string] => [
  `exists (select from graphile_worker._private_jobs
    where payload->>'to' = $1 and payload->>'mail' = $2)`,
  to,
  kind,
];

const newHash = (userId: string, before: string): [string, string, string] => [
  "exists (select from passwords where user_id = $1::text::uuid and hash <> $2)",
  userId,
  before,
];

const noSession = (id: string): [string, string] => [
  "not exists (select from sessions where id = $1::text::uuid)",
  id,
];

export const flows: Record<string, Flow> = {
  "sign-up": async (site) => {
    const email = `${crypto.randomUUID()}@example.com`;
    const visitor = httpClient(site.app);
    const user = "(select id from users where email = $1)";
    return [
      {
        name: "asks for the link",
        send: () => act(visitor, "signUp", { email }),
        facts: facts(site, mail("sign-up", email)),
      },
      {
        name: "creates the account",
        send: async () => {
          const token = (await createSignUp(site.connection.db, email)) ?? "";
          return act(visitor, "createAccount", { token, name: "Newcomer", password });
        },
        facts: facts(
          site,
          [`exists ${user}`, email],
          [`exists (select from passwords where user_id = ${user})`, email],
          [`exists (select from sessions where user_id = ${user})`, email],
          [`exists (select from audit_events where user_id = ${user})`, email],
        ),
      },
    ];
  },
  "password change": async (site) => {
    const { user, hash, other, visitor } = await loggedIn(site);
    return [
      {
        name: "changes it",
        send: () => act(visitor, "changePassword", { current: password, next: newPassword }),
        facts: facts(
          site,
          newHash(user.id, hash),
          noSession(other),
          mail("password-changed", user.email),
        ),
      },
    ];
  },
  "password reset": async (site) => {
    const { user, hash, other } = await loggedIn(site);
    const visitor = httpClient(site.app);
    return [
      {
        name: "asks for the link",
        send: () => act(visitor, "sendResetLink", { email: user.email }),
        facts: facts(site, mail("password-reset", user.email)),
      },
      {
        name: "chooses a password",
        send: async () => {
          const link = { userId: user.id, purpose: "password-reset", sentTo: user.email } as const;
          const token = await createLink(site.connection.db, link);
          return act(visitor, "setNewPassword", { token, password: newPassword });
        },
        facts: facts(
          site,
          newHash(user.id, hash),
          noSession(other),
          mail("password-changed", user.email),
        ),
      },
    ];
  },
  "email change": async (site) => {
    const { user, visitor } = await loggedIn(site);
    const email = `moved-${user.email}`;
    return [
      {
        name: "asks for the link",
        send: () => act(visitor, "changeEmail", { email }),
        facts: facts(site, mail("email-change", email)),
      },
      {
        name: "confirms it",
        send: async () => {
          const link = { userId: user.id, purpose: "email-change", sentTo: email } as const;
          const token = await createLink(site.connection.db, link);
          return act(httpClient(site.app), "confirmEmail", { token });
        },
        facts: facts(
          site,
          ["exists (select from users where email = $1)", email],
          [`not exists (select from users where email = $1)`, user.email],
          mail("email-changed", user.email),
        ),
      },
    ];
  },
  invitation: async (site) => {
    const { user, visitor } = await loggedIn(site);
    const { id, token } = await inviteFrom(site.connection, user.email);
    return [
      {
        name: "accepts it",
        send: () => act(visitor, "acceptInvitation", { token }),
        facts: facts(
          site,
          ["exists (select from members where user_id = $1::text::uuid)", user.id],
          ["not exists (select from invitations where id = $1::text::uuid)", id],
        ),
      },
    ];
  },
  "team deletion": async (site) => {
    const { user, visitor } = await loggedIn(site);
    const second = await createUser(site.connection.db);
    const team = await addTeam(site.connection, user, second);
    return [
      {
        name: "deletes it",
        send: () => act(visitor, "deleteTeam", { team: team.handle, confirmation: "Test Team" }),
        facts: facts(
          site,
          ["not exists (select from teams where id = $1::text::uuid)", team.id],
          ["not exists (select from projects where id = $1::text::uuid)", team.project],
          [
            "exists (select from audit_events where kind = 'team-deleted' and detail->>'handle' = $1)",
            team.handle,
          ],
          [
            "exists (select from graphile_worker._private_jobs where payload->>'to' = $1)",
            second.email,
          ],
        ),
      },
    ];
  },
  "account deletion": async (site) => {
    const { user, other, visitor } = await loggedIn(site);
    return [
      {
        name: "deletes it",
        send: () => act(visitor, "deleteAccount", { confirmation: user.email }),
        facts: facts(
          site,
          ["not exists (select from users where id = $1::text::uuid)", user.id],
          noSession(other),
          mail("farewell", user.email),
        ),
      },
    ];
  },
  "two-factor": async (site) => {
    const { user, session, visitor } = await loggedIn(site);
    const own = "user_id = $1::text::uuid";
    return [
      {
        name: "starts it",
        send: () => act(visitor, "setUpTwoFactor", {}),
        facts: facts(site, [`exists (select from totp_secrets where ${own})`, user.id]),
      },
      {
        name: "turns it on",
        send: async () => {
          const secret = await findStartedApp(site.connection.db, session, keys);
          const code = secret ? authenticator(secret).code() : "";
          return act(visitor, "turnOnTwoFactor", { code });
        },
        facts: facts(
          site,
          [`exists (select from totp_secrets where ${own} and confirmed_at is not null)`, user.id],
          [`exists (select from recovery_codes where ${own})`, user.id],
          mail("two-factor-changed", user.email),
        ),
      },
    ];
  },
  "token refresh": async (site) => {
    const user = await createUser(site.connection.db);
    const begun = { userId: user.id, authVersion: 1, amr: ["pwd"], deviceName: null };
    const session = await site.connection.db.transaction(async (tx) => {
      const created = await createAppSession(tx, { ...begun, client: unknownClient });
      if (!created) throw new Error("createAppSession: refused.");
      return { id: created.id, ...(await createRefreshToken(tx, created.id)) };
    });
    let { token } = session;
    const client = httpClient(site.app);
    const program = { origin: undefined, "sec-fetch-site": undefined };
    return [2, 3, 4].map((generation) => ({
      name: `refreshes ${generation - 1}`,
      async send() {
        const answer = await client.post(
          "/api/v1/token/refresh",
          JSON.stringify({ refresh_token: token }),
          { ...program, "content-type": "application/json" },
        );
        if (answer.status === 200) token = JSON.parse(answer.body).refresh_token;
        return answer;
      },
      facts: facts(site, [
        `exists (select from refresh_tokens where session_id = $1::text::uuid and generation = ${generation})`,
        session.id,
      ]),
    }));
  },
  "billing webhook": async (site) => {
    const [id, customer] = [`evt_${crypto.randomUUID()}`, `cus_${crypto.randomUUID()}`];
    const object = { id: "sub_1", object: "subscription", customer };
    const type = "customer.subscription.updated";
    const payload = JSON.stringify({ id, object: "event", type, data: { object } });
    return [
      {
        name: "stores the event",
        send: () => {
          const signature = site.payments.stripe.webhooks.generateTestHeaderString({
            ...{ payload, secret: webhookSecret, timestamp: Math.floor(Date.now() / 1000) },
          });
          return httpClient(site.app).post("/api/webhooks/stripe", payload, {
            ...{ origin: undefined, "sec-fetch-site": undefined },
            ...{ "content-type": "application/json", "stripe-signature": signature },
          });
        },
        facts: facts(
          site,
          ["exists (select from billing_events where id = $1)", id],
          [
            "exists (select from graphile_worker._private_jobs where payload->>'customer' = $1)",
            customer,
          ],
        ),
      },
    ];
  },
};
