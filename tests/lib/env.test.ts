import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { breachedPasswordsUrl, EnvError, parseEnv, variableNames } from "@/lib/env";

const jwks = JSON.stringify({
  keys: [{ kty: "OKP", crv: "Ed25519", x: "x", d: "d", kid: "one" }],
});

/** Parses a complete production environment with a test's changes; undefined removes a variable. */
function parse(changes: Record<string, string | undefined> = {}, mode = "production") {
  const complete = {
    APP_URL: "https://app.example.com",
    DATABASE_URL: "postgres://user:secret-password@db.example.com:5432/latchkey",
    AUTH_SECRET: "dGVzdC1zZWNyZXQtdGVzdC1zZWNyZXQtdGVzdC1zZWNyZXQ",
    JWT_PRIVATE_JWKS: jwks,
    ENCRYPTION_KEYS: "dGVzdC1rZXktdGVzdC1rZXktdGVzdC1rZXktdGVzdC0",
    SMTP_URL: "smtp://mail.example.com:587",
    MAIL_FROM: "Latchkey <hello@example.com>",
  };
  return parseEnv({ NODE_ENV: mode as "production", ...complete, ...changes });
}

/** Returns the lines of the error that name a variable. */
function complaints(changes: Record<string, string | undefined>, mode?: string): string[] {
  try {
    parse(changes, mode);
  } catch (error) {
    if (!(error instanceof EnvError)) throw error;
    return error.message.split("\n").filter((line) => /^ {2}[A-Z]/.test(line));
  }
  return [];
}

describe(".env.example", () => {
  it("lists exactly the existing variables, explains each, and sets none", async () => {
    const lines = (await readFile(".env.example", "utf8")).split("\n");
    const assignments = lines.filter((line) => line !== "" && !line.startsWith("#"));
    expect(assignments).toEqual(variableNamesInOrder(lines).map((name) => `${name}=`));
    expect(variableNamesInOrder(lines).sort()).toEqual([...variableNames].sort());
    for (const [index, line] of lines.entries())
      if (assignments.includes(line)) expect(lines[index - 1]).toMatch(/^# /);
  });

  function variableNamesInOrder(lines: string[]): string[] {
    return lines.flatMap((line) => /^([A-Z_]+)=/.exec(line)?.[1] ?? []);
  }
});

describe("parseEnv", () => {
  it("fills in the defaults", () => {
    expect(parse()).toMatchObject({
      production: true,
      APP_URL: "https://app.example.com",
      DATABASE_POOL_MAX: 10,
      TRUSTED_PROXY_HOPS: 0,
    });
    expect(parse().CRON_SECRET).toBeUndefined();
  });

  it("reports everything that is missing in production at once", () => {
    const names = complaints({
      ...{ APP_URL: undefined, DATABASE_URL: undefined, AUTH_SECRET: undefined },
      ...{ JWT_PRIVATE_JWKS: undefined, SMTP_URL: undefined, MAIL_FROM: undefined },
      ENCRYPTION_KEYS: undefined,
    }).map((line) => line.trim());
    expect(names).toEqual(
      [
        "DATABASE_URL",
        "APP_URL",
        "AUTH_SECRET",
        "JWT_PRIVATE_JWKS",
        "ENCRYPTION_KEYS",
        "SMTP_URL",
        "MAIL_FROM",
      ].map((name) => `${name.padEnd(20)} is missing`),
    );
  });

  it.each(["evil.example", "xample.com", "com", "203.0.113.9", "https://app.example.com"])(
    "refuses passkeys for a domain that is not this site's: %s",
    (PASSKEY_RP_ID) => {
      const complaint = "must be the host of APP_URL, or a parent domain of it";
      const line = `  ${"PASSKEY_RP_ID".padEnd(20)} ${complaint}`;
      expect(complaints({ PASSKEY_RP_ID })).toEqual([line]);
    },
  );

  it.each(["app.example.com", "example.com"])("accepts %s for passkeys", (PASSKEY_RP_ID) => {
    expect(parse({ PASSKEY_RP_ID })).toMatchObject({ PASSKEY_RP_ID });
  });

  it("says what to do, and repeats no value", () => {
    const broken = { DATABASE_URL: "mysql://root:hunter2@db", AUTH_SECRET: "hunter2" };
    expect(() => parse(broken)).toThrow(".env.example");
    expect(() => parse(broken)).toThrow(/openssl rand/);
    expect(() => parse(broken)).not.toThrow(/hunter2/);
  });

  it("counts an empty variable as missing", () => {
    expect(complaints({ AUTH_SECRET: "" })[0]).toMatch(/AUTH_SECRET +is missing/);
    expect(parse({ DATABASE_POOL_MAX: "" }).DATABASE_POOL_MAX).toBe(10);
  });

  it.each([
    ["APP_URL", "app.example.com"],
    ["APP_URL", "https://app.example.com/path"],
    ["APP_URL", "https://app.example.com?x"],
    ["APP_URL", "ftp://app.example.com"],
    ["APP_URL", "javascript:alert(1)"],
    ["DATABASE_URL", "mysql://localhost/latchkey"],
    ["DATABASE_URL", "localhost:5432"],
    ["DATABASE_DIRECT_URL", "x"],
    ["DATABASE_POOL_MAX", "0"],
    ["DATABASE_POOL_MAX", "many"],
    ["AUTH_SECRET", "dGVzdA"],
    ["ENCRYPTION_KEYS", "dGVzdA"],
    ["ENCRYPTION_KEYS", "dGVzdC1rZXktdGVzdC1rZXktdGVzdC1rZXktdGVzdC0,"],
    ["AUTH_SECRET", "a secret of many words that is long enough but no base64url"],
    ["JWT_PRIVATE_JWKS", "{}"],
    ["JWT_PRIVATE_JWKS", "not json"],
    ["JWT_PRIVATE_JWKS", '{"keys":[]}'],
    ["JWT_PRIVATE_JWKS", jwks.replace('"d":"d",', "")],
    ["JWT_PRIVATE_JWKS", jwks.replace("Ed25519", "X25519")],
    ["SMTP_URL", "https://mail.example.com"],
    ["SMTP_URL", "smtp://mail.example.com:99999"],
    ["SMTP_URL", "smtp://mail.example.com?tls=none"],
    ["SMTP_URL", "smtp://mail.example.com?tls="],
    ["SMTP_URL", "smtp://mail.example.com?tls=optional&tls=none"],
    ["MAIL_FROM", "Latchkey"],
    ["TRUSTED_PROXY_HOPS", "-1"],
    ["TRUSTED_PROXY_HOPS", "1.5"],
    ["CRON_SECRET", "short"],
    ["INSTANCES", "0"],
    ["NEXT_SERVER_ACTIONS_ENCRYPTION_KEY", "dGVzdC1rZXktdGVzdC1rZXktdGVzdC1rZXktdGVzdC0"],
    ["NEXT_SERVER_ACTIONS_ENCRYPTION_KEY", "dGVzdA=="],
    ["BREACHED_PASSWORDS_URL", "on"],
    ["BREACHED_PASSWORDS_URL", "https://mirror.example.com/range"],
    ["BREACHED_PASSWORDS_URL", "https://mirror.example.com/range/?prefix="],
    ["BREACHED_PASSWORDS_URL", "http://mirror.example.com/range/"],
    ["BREACHED_PASSWORDS_URL", "file:///range/"],
  ])("refuses %s=%s", (name, value) => {
    const [line, ...more] = complaints({ [name]: value });
    expect(more).toEqual([]);
    expect(line).toMatch(new RegExp(`^ {2}${name} `));
    expect(line).not.toContain("is missing");
  });

  it.each(["http://app.example.com", "http://10.0.0.1:3000", "http://localhost.example.com"])(
    "refuses plain http for %s, whatever the mode",
    (url) => {
      expect(complaints({ APP_URL: url })[0]).toContain("must be https");
      expect(complaints({ APP_URL: url }, "development")[0]).toContain("must be https");
    },
  );

  it.each(["http://localhost:3000", "http://127.0.0.1:3000", "http://[::1]:3000"])(
    "accepts plain http for %s, which is this machine",
    (url) => {
      expect(parse({ APP_URL: url }).APP_URL).toBe(url);
    },
  );

  it.each([
    ["https://App.Example.com/", "https://app.example.com"],
    ["https://app.example.com:443", "https://app.example.com"],
  ])("reads APP_URL=%s as the origin a browser sends", (given, origin) => {
    expect(parse({ APP_URL: given }).APP_URL).toBe(origin);
  });

  it("accepts the one parameter of SMTP_URL that allows plain text", () => {
    const SMTP_URL = "smtp://mail.example.com:587?tls=optional";
    expect(parse({ SMTP_URL }).SMTP_URL).toBe(SMTP_URL);
  });

  it("uses VERCEL_URL only if APP_URL is not set", () => {
    const VERCEL_URL = "latchkey-git-main.vercel.app";
    expect(parse({ APP_URL: undefined, VERCEL_URL }).APP_URL).toBe(`https://${VERCEL_URL}`);
    expect(parse({ VERCEL_URL }).APP_URL).toBe("https://app.example.com");
  });

  it.each([undefined, "", "production", "Production", "staging", "developmnet", "dev"])(
    "is production if NODE_ENV is %j, and requires a mail server",
    (NODE_ENV) => {
      expect(parse({ NODE_ENV }).production).toBe(true);
      expect(complaints({ NODE_ENV, SMTP_URL: "" })).toEqual(["  SMTP_URL             is missing"]);
      expect(complaints({ NODE_ENV, APP_URL: "" })).toEqual(["  APP_URL              is missing"]);
    },
  );

  it.each(["development", "test"])("is not production if NODE_ENV is %s", (mode) => {
    expect(parse({}, mode).production).toBe(false);
    expect(parse({ SMTP_URL: undefined, MAIL_FROM: undefined }, mode).production).toBe(false);
  });

  it("needs neither a URL nor a mail server in development", () => {
    const bare = { APP_URL: undefined, SMTP_URL: undefined, MAIL_FROM: undefined };
    expect(parse(bare, "development")).toMatchObject({
      production: false,
      APP_URL: "http://localhost:3000",
    });
    const moved = { ...bare, PORT: "4000" };
    expect(parse(moved, "development").APP_URL).toBe("http://localhost:4000");
  });
});

describe("breachedPasswordsUrl", () => {
  const url = (mode: string | undefined, value?: string) =>
    breachedPasswordsUrl({ NODE_ENV: mode as "production", BREACHED_PASSWORDS_URL: value });

  it.each(["production", "staging", undefined])(
    "is the public service if NODE_ENV is %s and nothing is set",
    (mode) => {
      expect(url(mode)).toBe("https://api.pwnedpasswords.com/range/");
      expect(url(mode, "")).toBe("https://api.pwnedpasswords.com/range/");
    },
  );

  it.each(["development", "test"])("is undefined in %s if nothing is set", (mode) => {
    expect(url(mode)).toBeUndefined();
    expect(url(mode, "")).toBeUndefined();
  });

  it.each(["production", "development"])('is undefined in %s if it is "off"', (mode) => {
    expect(url(mode, "off")).toBeUndefined();
  });

  it.each(["https://mirror.example.com/range/", "http://127.0.0.1:4000/"])(
    "accepts %s",
    (mirror) => {
      expect(url("production", mirror)).toBe(mirror);
      expect(url("development", mirror)).toBe(mirror);
    },
  );
});
