import { describe, expect, it, vi } from "vitest";
import { startCleanUp } from "@/lib/auth/clean-up";
import { startSignUp } from "@/lib/auth/sign-ups";
import { db, sql } from "@/tests/support/database";
import { createLogin, createPerson } from "@/tests/support/people";
import { addSessions, sessionRows } from "@/tests/support/rows";

describe("startCleanUp", () => {
  it("throws away what has expired, and nothing else", async () => {
    const person = await createPerson(db);
    const { session } = await createLogin(db, person);
    await addSessions(person, 3, "-1 second");
    await startSignUp(db, "late@example.com");
    await sql`update pending_sign_ups set expires_at = now() - interval '1 second'`;

    startCleanUp(() => db);

    await vi.waitFor(async () => {
      expect((await sessionRows(person)).map(({ id }) => id)).toEqual([session.id]);
      expect(await sql`select from pending_sign_ups`).toHaveLength(0);
    });
  });

  it("logs a failure, and the server goes on", async () => {
    const log = vi.spyOn(console, "error").mockImplementation(() => {});
    startCleanUp(() => {
      throw new Error("no database today");
    });
    await vi.waitFor(() => expect(log).toHaveBeenCalledOnce());
    expect(log.mock.lastCall?.[1]).toMatchObject({ message: "no database today" });
    log.mockRestore();
  });
});
