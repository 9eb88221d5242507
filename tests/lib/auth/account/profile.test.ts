import { describe, expect, it } from "vitest";
import { changeName } from "@/lib/auth/account/profile";
import { db, sql } from "@/tests/support/database";
import { eventRows } from "@/tests/support/rows";
import { createLogin, createUser } from "@/tests/support/users";

async function nameOf(user: { id: string }): Promise<string> {
  const [row] = await sql<{ name: string }[]>`select name from users where id = ${user.id}`;
  return `${row?.name}`;
}

describe("changeName", () => {
  it("changes the acting user's name, and records an event without it", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    await changeName(db, session, "Grace Walker");
    expect(await nameOf(user)).toBe("Grace Walker");
    const last = (await eventRows(user)).at(-1);
    expect(last).toMatchObject({ kind: "name-changed", session_id: session.id });
    expect(JSON.stringify(last)).not.toContain("Grace");
  });

  it("does not change another user's name", async () => {
    const [user, other] = [await createUser(db), await createUser(db)];
    const { session } = await createLogin(db, user);
    await changeName(db, session, "Grace Walker");
    expect(await nameOf(user)).toBe("Grace Walker");
    expect(await nameOf(other)).toBe(other.name);
    expect(await eventRows(other)).toEqual([]);
  });

  it("records no event if nothing changes", async () => {
    const user = await createUser(db);
    const { session } = await createLogin(db, user);
    await changeName(db, session, user.name);
    expect(await eventRows(user)).toHaveLength(1);
  });

  it.each(["", "x".repeat(101)])(
    "throws for a name that the table refuses, and changes no row",
    async (name) => {
      const user = await createUser(db);
      const { session } = await createLogin(db, user);
      await expect(changeName(db, session, name)).rejects.toThrow();
      expect(await nameOf(user)).toBe(user.name);
      expect(await eventRows(user)).toHaveLength(1);
    },
  );
});
