import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { afterAll, expect, it } from "vitest";
import { importSigningKeys, publicJwks, signAccessToken } from "@/lib/auth/tokens/jwt";
import { privateJwk } from "@/lib/dev/secrets";
import { childEnv } from "@/lib/env";
import { minutes } from "@/lib/time";

/*
 * Runs the verifier of app/api/README.md, word for word, as a separate process. It knows
 * only the issuer's URL and the tokens it is given, while the issuer's key is rotated as
 * the README describes.
 */

const [, verifier] =
  /```js verifier\n([\s\S]*?)```/.exec(readFileSync("app/api/README.md", "utf8")) ?? [];
// Inside the checkout, so that jose is found.
const folder = path.resolve(".data", "verifier");
const file = path.join(folder, "verifier.mjs");
const ask = `
process.on("message", (token) =>
  whoIs(token).then((who) => process.send({ who }), ({ code }) => process.send({ code })));
process.send("ready");
`;

/** The audience that the verifier expects. */
const reports = "https://reports.example.com";

let jwks = JSON.stringify({ keys: [privateJwk()] });
// The response of /.well-known/jwks.json.
const server = createServer((_, response) => {
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify(publicJwks(jwks)));
});
const services: ChildProcess[] = [];

afterAll(() => {
  for (const service of services) service.kill();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function startService(issuer: string): Promise<ChildProcess> {
  const service = fork(file, { env: childEnv({ ISSUER: issuer }), execArgv: [] });
  services.push(service);
  await once(service, "message");
  return service;
}

async function verdict(service: ChildProcess, token: string): Promise<unknown> {
  const answered = once(service, "message");
  service.send(token);
  return (await answered)[0];
}

it("a separate service verifies tokens without an error while the key is changed", async () => {
  expect(verifier?.trim().split("\n").length).toBeLessThanOrEqual(12);
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, verifier + ask);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // an object, because the server listens on TCP
  const issuer = `http://127.0.0.1:${port}`;
  const service = await startService(issuer);

  const claims = { sub: "ada", role: "user", client_id: "k" } as const;
  const sign = async (audience = reports) => {
    const keys = await importSigningKeys(jwks);
    return signAccessToken(keys, issuer, claims, minutes(10), audience);
  };
  const accepted = { who: { user: "ada", role: "user" } };
  const [old] = JSON.parse(jwks).keys;
  const next = privateJwk();

  const before = await sign();
  expect(await verdict(service, before)).toEqual(accepted);
  jwks = JSON.stringify({ keys: [old, next] }); // publish
  expect(await verdict(service, await sign())).toEqual(accepted);
  // Wait: jose fetches the keys again when it meets an unknown one, but not within 30 seconds of
  // the last fetch. A service started now stands in for one that has waited.
  const waited = await startService(issuer);
  expect(await verdict(waited, before)).toEqual(accepted);
  jwks = JSON.stringify({ keys: [next, old] }); // sign
  const after = await sign();
  for (const token of [before, after]) expect(await verdict(waited, token)).toEqual(accepted);
  jwks = JSON.stringify({ keys: [next] }); // retire
  expect(await verdict(waited, await sign())).toEqual(accepted);

  // A service that starts now does not know the old key.
  const late = await startService(issuer);
  expect(await verdict(late, after)).toEqual(accepted);
  expect(await verdict(late, before)).toEqual({ code: "ERR_JWKS_NO_MATCHING_KEY" });
  // Other faults of a token are refused here as well.
  for (const audience of [issuer, "https://billing.example.com", `${reports}/`])
    expect(await verdict(late, await sign(audience))).toEqual({
      code: "ERR_JWT_CLAIM_VALIDATION_FAILED",
    });
  const [header, , signature] = after.split(".");
  const payload = Buffer.from('{"sub":"ada","role":"admin"}').toString("base64url");
  expect(await verdict(late, [header, payload, signature].join("."))).toEqual({
    code: "ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
  });
});
