import { describe, expect, it } from "vitest";
import { findStartedApp, startApp } from "@/lib/auth/credentials/two-factor";
import { db } from "@/tests/support/database";
import { times } from "@/tests/support/races";
import { keys } from "@/tests/support/two-factor";
import { createLogin, createUser } from "@/tests/support/users";

describe("startApp", () => {
  it("makes a secret of 160 random bits, never the same twice", async () => {
    const { session } = await createLogin(db, await createUser(db));
    const started = async () => {
      await startApp(db, session, keys);
      return findStartedApp(db, session, keys);
    };
    const secrets: (Buffer | null)[] = [];
    for (const start of times(20, () => started)) secrets.push(await start());
    expect(secrets.map((secret) => secret?.length)).toEqual(times(20, () => 20));
    expect(new Set(secrets.map((secret) => secret?.toString("hex"))).size).toBe(20);
    // Of 20 × 160 random bits, about half are set.
    const bits = secrets.flatMap((secret) => [...(secret ?? [])].map((byte) => byte.toString(2)));
    const set = bits.join("").replaceAll("0", "").length;
    expect(Math.abs(set - 1600)).toBeLessThan(200);
  });
});
