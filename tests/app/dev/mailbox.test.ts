import { mkdtemp } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { expect, it } from "vitest";
import { GET } from "@/app/dev/mailbox.json/route.dev";
import { compose } from "@/lib/mail/layout";
import { keepMail } from "@/lib/mail/mailbox";

const mailWith = (to: string, link: string) =>
  compose(to, "Finish creating your account", [{ label: "Create your account", link }]);

// The mailbox is stored below the working directory, so this test file uses its own directory.
process.chdir(await mkdtemp(path.join(os.tmpdir(), "latchkey-mailbox-")));
await keepMail(mailWith("name@example.com", "https://app.example.com/signup/the-token"));

const ask = (host?: string) =>
  GET(
    new Request("http://localhost:3000/dev/mailbox.json", { headers: host ? { host } : undefined }),
  );

it.each(["localhost:3000", "127.0.0.1:3000", "[::1]:3000"])(
  "the mailbox answers to %s",
  async (host) => {
    const answer = await ask(host);
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain("the-token");
  },
);

it.each(["evil.example:3000", "localhost.evil.example", "192.0.2.7:3000", undefined])(
  "the mailbox does not answer to %s, which DNS rebinding may have led here",
  async (host) => {
    const answer = await ask(host);
    expect(answer.status).toBe(404);
    expect(await answer.text()).toBe("Not found\n");
  },
);
