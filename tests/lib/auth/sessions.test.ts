import { describe, expect, it } from "vitest";
import { getSession } from "@/lib/auth/sessions";
import { db } from "@/tests/support/database";
import { createLogin, createPerson } from "@/tests/support/people";

describe("getSession", () => {
  it("finds the session of a token, with its user", async () => {
    const person = await createPerson(db);
    const { token } = await createLogin(db, person);
    const session = await getSession(db, token);
    expect(session?.user).toEqual({ ...person, role: "user" });
  });
});
