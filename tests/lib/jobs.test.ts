import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { MailJob } from "@/lib/auth/mails/registry";
import { addJob } from "@/lib/jobs";
import { db, sql } from "@/tests/support/database";
import { jobRows } from "@/tests/support/rows";

const farewell = (): MailJob & { to: string } => ({
  ...{ mail: "farewell", to: `${randomUUID()}@example.com`, name: 'O\'Hara "the \\" Žižek 🦦' },
});

describe("addJob", () => {
  it("queues the payload unchanged", async () => {
    const payload = farewell();
    await addJob(db, "mail", payload);
    const [job, ...more] = await jobRows({ email: payload.to });
    expect(job).toMatchObject({ task: "mail", payload, attempts: 0, last_error: null });
    expect(more).toEqual([]);
  });

  it("queues the job only if the transaction commits", async () => {
    const [kept, lost] = [farewell(), farewell()];
    await db.transaction((tx) => addJob(tx, "mail", kept));
    const rolledBack = db.transaction(async (tx) => {
      await addJob(tx, "mail", lost);
      tx.rollback();
    });
    await expect(rolledBack).rejects.toThrow();
    expect(await jobRows({ email: kept.to })).toHaveLength(1);
    expect(await jobRows({ email: lost.to })).toEqual([]);
  });

  it("retries a job for days: a mail server that is down for an hour loses nothing", async () => {
    const payload = farewell();
    await addJob(db, "mail", payload);
    const [{ id } = { id: "" }] = await jobRows({ email: payload.to });
    const [row] = await sql<{ max_attempts: number }[]>`
      select max_attempts from graphile_worker._private_jobs where id = ${id}`;
    // The queue's pauses in seconds: e to the power of the attempts so far, at most ten.
    const pauses = Array.from({ length: row?.max_attempts ?? 0 }, (_, n) => Math.min(n + 1, 10));
    const hours = pauses.reduce((sum, power) => sum + Math.exp(power), 0) / 3600;
    expect(hours).toBeGreaterThan(48);
  });
});
