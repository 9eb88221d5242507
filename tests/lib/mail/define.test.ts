import { describe, expect, it } from "vitest";
import { z } from "zod";
import { always, defineMail } from "@/lib/mail/define";
import { db } from "@/tests/support/database";

const to = "name@example.com";
const appUrl = "https://app.example.com";

const greeting = defineMail("greeting", {
  payload: { to: z.string(), name: z.string(), path: z.string() },
  words: ({ name, path }) => ({
    subject: `Hello ${name}`,
    body: [`Welcome, ${name}.`, { label: `Open, ${name}`, path }],
  }),
  render: always,
});

const render = (payload: object) => greeting.render(db, { to, ...payload }, appUrl);

describe("defineMail", () => {
  it("renders both parts from the words, and starts each link with the app's URL", async () => {
    const mail = await render({ name: "Ada", path: "/a?b=1&c=2" });
    expect(mail).toMatchObject({ to, subject: "Hello Ada" });
    expect(mail?.text).toBe("Welcome, Ada.\n\nhttps://app.example.com/a?b=1&c=2\n");
    expect(mail?.html).toContain('href="https://app.example.com/a?b=1&amp;c=2"');
  });

  it("escapes payload values, so that they become neither markup nor a link", async () => {
    const markup = '"><img src=x onerror=alert(1)>';
    const [plain, attacked] = [
      await render({ name: "Ada", path: "/a" }),
      await render({ name: markup, path: `/a${markup}` }),
    ];
    expect(attacked?.html).not.toContain("<img");
    expect(attacked?.html.match(/["<>]/g)?.length).toBe(plain?.html.match(/["<>]/g)?.length);
  });

  it("passes the result of render to the words, and makes no mail if it is null", async () => {
    const found = defineMail("found", {
      payload: { to: z.string(), known: z.boolean() },
      words: (_, { token }: { token: string }) => ({ subject: token, body: [] }),
      render: async (_tx, { known }) => (known ? { token: "the-token" } : null),
    });
    expect((await found.render(db, { to, known: true }, appUrl))?.subject).toBe("the-token");
    expect(await found.render(db, { to, known: false }, appUrl)).toBeNull();
  });

  it("refuses a payload that lacks a field, and repeats none of it", async () => {
    const refused = render({ name: "Ada" });
    await expect(refused).rejects.toThrow(/path/);
    await expect(refused).rejects.not.toThrow(/name@example\.com|Ada/);
  });
});
