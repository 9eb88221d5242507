import { expect, it } from "vitest";
import { readOverview } from "@/lib/auth/account/overview";
import { db, sql } from "@/tests/support/database";
import { addIdentity, person, removePassword } from "@/tests/support/identities";
import { addSoftPasskey } from "@/tests/support/passkeys";
import { addTwoFactor } from "@/tests/support/two-factor";
import { createLogin, createUser } from "@/tests/support/users";

it("describes a new account", async () => {
  const { session } = await createLogin(db, await createUser(db));
  expect(await readOverview(db, session)).toEqual({
    ...{ hasPassword: true, passkeys: 0, twoFactor: false, recoveryCodes: 0 },
    ...{ providers: [], devices: 1 },
  });
});

it("counts every way to log in and live session of the user, and none of another user", async () => {
  const [user, other] = [await createUser(db), await createUser(db)];
  for (const owner of [other, user]) {
    await addIdentity(db, owner, person());
    await addSoftPasskey(db, owner);
    await addTwoFactor(db, owner);
  }
  const amr = ["passkey"];
  const { session: ended } = await createLogin(db, user, { amr });
  const { session } = await createLogin(db, user, { amr });
  await sql`update sessions set expires_at = now() where id = ${ended.id}`;
  await removePassword(user);
  expect(await readOverview(db, session)).toEqual({
    ...{ hasPassword: false, passkeys: 1, twoFactor: true, recoveryCodes: 8 },
    ...{ providers: ["oidc"], devices: 1 },
  });
});
