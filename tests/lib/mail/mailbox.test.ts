import { mkdtemp, stat } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { describe, expect, inject, it } from "vitest";
import { setEnv } from "@/lib/env";
import { compose } from "@/lib/mail/layout";
import { keepMail, listMails } from "@/lib/mail/mailbox";
import { sendMail } from "@/lib/mail/send";

const mailWith = (to: string, link: string) =>
  compose(to, "Finish creating your account", [{ label: "Create your account", link }]);

// Set before the first mail: the environment is read once, and also requires a database.
setEnv({ DATABASE_URL: inject("postgres").url, SMTP_URL: "" });

// The mailbox is stored below the working directory, so this file uses its own.
process.chdir(await mkdtemp(path.join(os.tmpdir(), "latchkey-mailbox-")));

describe("listMails", () => {
  it("is empty if no mail was ever kept", async () => {
    expect(await listMails()).toEqual([]);
  });

  it("lists the mails that sendMail keeps without a mail server, newest first", async () => {
    await sendMail(mailWith("one@example.com", "https://app.example.com/signup/1"));
    await sendMail(mailWith("two@example.com", "https://app.example.com/signup/2"));
    const mails = await listMails();
    expect(mails.map(({ to }) => to)).toEqual(["two@example.com", "one@example.com"]);
    expect(mails[0]).toMatchObject(mailWith("two@example.com", "https://app.example.com/signup/2"));
    expect(new Date(`${mails[0]?.sentAt}`).toISOString()).toBe(mails[0]?.sentAt);
  });

  it.skipIf(process.platform === "win32")(
    "keeps the mails in files that only their owner can read",
    async () => {
      expect((await stat(".data")).mode & 0o777).toBe(0o700);
      expect((await stat(".data/mailbox.jsonl")).mode & 0o777).toBe(0o600);
    },
  );

  it("can be filtered by email", async () => {
    expect((await listMails("one@example.com")).map(({ to }) => to)).toEqual(["one@example.com"]);
    expect(await listMails("unknown@example.com")).toEqual([]);
  });

  it("returns the last hundred mails of an email, and loses no concurrent mail", async () => {
    const mail = mailWith("busy@example.com", "https://app.example.com/signup/3");
    await Promise.all(Array.from({ length: 120 }, () => keepMail(mail)));
    await keepMail({ ...mail, to: "one@example.com", subject: "The last" });
    expect(await listMails("busy@example.com")).toHaveLength(100);
    expect((await listMails("one@example.com"))[0]?.subject).toBe("The last");
    const ids = (await listMails()).map(({ id }) => id);
    expect(new Set(ids).size).toBe(100);
  });
});
