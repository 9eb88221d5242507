import { describe, expect, it } from "vitest";
import { changeName } from "@/lib/auth/account/profile";
import { db, sql } from "@/tests/support/database";
import { createLogin, createPerson } from "@/tests/support/people";
import { eventRows } from "@/tests/support/rows";

async function nameOf(person: { id: string }): Promise<string> {
  const [row] = await sql<{ name: string }[]>`select name from users where id = ${person.id}`;
  return `${row?.name}`;
}

describe("changeName", () => {
  it("changes the acting user's, with an event that does not hold the name", async () => {
    const person = await createPerson(db);
    const { session } = await createLogin(db, person);
    await changeName(db, session, "Grace Walker");
    expect(await nameOf(person)).toBe("Grace Walker");
    const last = (await eventRows(person)).at(-1);
    expect(last).toMatchObject({ kind: "name-changed", session_id: session.id });
    expect(JSON.stringify(last)).not.toContain("Grace");
  });

  it("does not touch another user's", async () => {
    const [person, other] = [await createPerson(db), await createPerson(db)];
    const { session } = await createLogin(db, person);
    await changeName(db, session, "Grace Walker");
    expect(await nameOf(person)).toBe("Grace Walker");
    expect(await nameOf(other)).toBe(other.name);
    expect(await eventRows(other)).toEqual([]);
  });

  it("leaves no event where nothing changes", async () => {
    const person = await createPerson(db);
    const { session } = await createLogin(db, person);
    await changeName(db, session, person.name);
    expect(await eventRows(person)).toHaveLength(1);
  });

  it.each(["", "x".repeat(101)])(
    "throws at a name the table refuses, and the rows stand",
    async (name) => {
      const person = await createPerson(db);
      const { session } = await createLogin(db, person);
      await expect(changeName(db, session, name)).rejects.toThrow();
      expect(await nameOf(person)).toBe(person.name);
      expect(await eventRows(person)).toHaveLength(1);
    },
  );
});
