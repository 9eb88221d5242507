import { mkdtemp, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { connect } from "@/lib/db/client";
import { startApp } from "@/tests/support/app";
import { askForReset, expect, linkIn, test } from "@/tests/support/end-to-end";
import { allMails, receivedMail, startSmtpServer } from "@/tests/support/smtp";
import { createUser } from "@/tests/support/users";

test("a reset requested while the mail server is down is mailed when it is back", async ({
  newDatabase,
  elsewhere,
}) => {
  const directory = await mkdtemp(path.join(os.tmpdir(), "latchkey-mails-"));
  const mails = path.join(directory, "mails.jsonl");
  const smtp = await startSmtpServer(mails);
  const url = await newDatabase();
  const connection = connect(url, { max: 1 });
  const app = await startApp(url, { env: { SMTP_URL: smtp.url } });
  const user = await createUser(connection.db);
  const waiting = () => connection.sql<{ id: string; attempts: number; payload: unknown }[]>`
    select id::text, attempts, payload from graphile_worker._private_jobs order by id`;

  await smtp.stop();
  const page = await elsewhere({ baseURL: app.origin });
  await askForReset(page, user.email);
  await expect.poll(async () => (await waiting())[0]?.attempts).toBeGreaterThan(0);
  const [job] = await waiting();
  // The failure stands in the log with the job's id, and the job holds no secret.
  await expect
    .poll(async () => await readFile(app.log, "utf8"))
    .toMatch(new RegExp(`Failed task ${job?.id} \\(mail`));
  expect(JSON.stringify(job?.payload)).not.toMatch(/[\w-]{43}/);
  expect(await allMails(mails)).toEqual([]);

  const restarted = await startSmtpServer(mails, Number(new URL(smtp.url).port));
  const link = linkIn(await receivedMail(mails, user.email));
  await page.goto(link);
  await expect(page.getByRole("heading", { name: "Choose a new password" })).toBeVisible();
  await expect.poll(waiting).toHaveLength(0);
  expect(await allMails(mails)).toHaveLength(1);

  await app.stop();
  await restarted.stop();
  await connection.sql.end();
  await rm(directory, { recursive: true });
});
