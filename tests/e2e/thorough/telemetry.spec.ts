import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { newToken } from "@/lib/auth/secrets";
import { startApp } from "@/tests/support/app";
import { expect, test } from "@/tests/support/end-to-end";
import { httpClient } from "@/tests/support/http-client";

// Makes Node print every file that it loads.
const noisy = { NODE_DEBUG: "module,esm" };
const sdk = /node_modules\/(@vercel\/otel|@opentelemetry\/(?!api\/))/;

test("with OpenTelemetry's variable, the spans of a request arrive, without its token", async ({
  newDatabase,
}) => {
  const received: string[] = [];
  const collector = createServer(async (request, response) => {
    received.push(`${request.url} ${await text(request)}`);
    response.end("{}");
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  const address = collector.address();
  const endpoint = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  const app = await startApp(await newDatabase(), {
    env: {
      ...{ ...noisy, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SERVICE_NAME: "tested" },
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    },
  });
  const token = newToken();
  await httpClient(app).get(`/reset-password/${token}?code=${token}`);
  // The last spans are exported when the server stops.
  await app.stop();
  await new Promise((resolve) => collector.close(resolve));

  expect(received.map((each) => each.split(" ")[0])).toContain("/v1/traces");
  const all = received.join("\n");
  expect(all).toContain('"GET /reset-password/[token]"');
  expect(all).toContain('"tested"');
  expect(all).toContain('"/reset-password/*"');
  expect(all).not.toContain(token);
  expect(await readFile(app.log, "utf8")).toMatch(sdk);
});

test("without OpenTelemetry's variable, no file of its SDK is loaded", async ({ newDatabase }) => {
  const app = await startApp(await newDatabase(), { env: noisy });
  expect((await httpClient(app).get("/login")).status).toBe(200);
  await app.stop();
  const log = await readFile(app.log, "utf8");
  expect(log).toContain("node_modules/graphile-worker/");
  expect(log).not.toMatch(sdk);
});
