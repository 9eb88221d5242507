import { mkdtemp, readFile, stat, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { expect, it } from "vitest";
import { devSecrets } from "@/lib/dev/secrets";
import { setEnv } from "@/lib/env";

// The secrets are stored below the working directory, so this file uses its own.
process.chdir(await mkdtemp(path.join(os.tmpdir(), "latchkey-secrets-")));
setEnv({ AUTH_SECRET: "", JWT_PRIVATE_JWKS: "", ENCRYPTION_KEYS: "" });

it.skipIf(process.platform === "win32")(
  "devSecrets stores them readable only by the owner",
  async () => {
    const before = process.umask(0);
    const made = await devSecrets();
    process.umask(before);
    expect((await stat(".data")).mode & 0o777).toBe(0o700);
    expect((await stat(".data/dev-secrets.json")).mode & 0o777).toBe(0o600);
    expect(await devSecrets()).toEqual(made);
  },
);

it("devSecrets adds secrets that an earlier version's file lacks, and keeps the others", async () => {
  const { ENCRYPTION_KEYS: _, ...earlier } = await devSecrets();
  await writeFile(".data/dev-secrets.json", JSON.stringify(earlier));
  const made = await devSecrets();
  expect(made).toMatchObject(earlier);
  expect(JSON.parse(await readFile(".data/dev-secrets.json", "utf8"))).toEqual(made);
});
