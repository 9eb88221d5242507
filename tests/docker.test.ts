import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { EnvError, parseEnv } from "@/lib/env";

/* Checks what can be checked of the image and of compose.yaml without Docker. */

const dockerfile = readFileSync("Dockerfile", "utf8").trim().split("\n");
const compose = readFileSync("compose.yaml", "utf8");

describe("Dockerfile", () => {
  it("has at most thirty lines", () => {
    expect(dockerfile.length).toBeLessThanOrEqual(30);
  });

  it("runs the build as an unprivileged user, with nothing else from the checkout", () => {
    const image = dockerfile.slice(dockerfile.findLastIndex((line) => line.startsWith("FROM ")));
    expect(image.filter((line) => /^(USER|CMD|COPY|RUN)/.test(line))).toEqual([
      "COPY --from=build --chown=node:node /app/.next/standalone ./",
      "USER node",
      'CMD ["node", "server.js"]',
    ]);
    expect(image.join("\n")).toMatch(/^HEALTHCHECK .*\n.*\/api\/health/m);
  });

  it("copies no file with secrets", () => {
    const ignored = readFileSync(".dockerignore", "utf8").split("\n");
    expect(ignored).toEqual(expect.arrayContaining([".env", ".env.*", ".data", ".git"]));
    expect(dockerfile.filter((line) => line.startsWith("ARG "))).toEqual([
      ...["ARG APP_URL", "ARG STRIPE_SECRET_KEY", "ARG STRIPE_WEBHOOK_SECRET"],
      "ARG NEXT_SERVER_ACTIONS_ENCRYPTION_KEY", // Next writes it into each build, given or random
    ]);
  });
});

describe("compose.yaml", () => {
  it("sets every variable without which the server does not start", () => {
    const set = [...compose.matchAll(/^ {4}([A-Z_]+): /gm)].map(([, name]) => name);
    expect(required().length).toBeGreaterThan(5);
    expect(set).toEqual(expect.arrayContaining(required()));
  });

  it("migrates before the app starts, and holds no secret itself", () => {
    expect(compose).toMatch(/ {2}app:[\s\S]+migrate:\n +condition: service_completed_successfully/);
    expect(compose).toMatch(/ {2}migrate:[\s\S]+database:\n +condition: service_healthy/);
    for (const name of ["AUTH_SECRET", "JWT_PRIVATE_JWKS", "ENCRYPTION_KEYS", "POSTGRES_PASSWORD"])
      expect(compose).toContain(`${name}: \${${name}:?}`);
  });
});

function required(): string[] {
  try {
    parseEnv({ NODE_ENV: "production" });
  } catch (error) {
    if (!(error instanceof EnvError)) throw error;
    return [...error.message.matchAll(/^ {2}([A-Z_]+) +is missing/gm)].map(([, name = ""]) => name);
  }
  return [];
}
