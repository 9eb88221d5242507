import { resealSecrets } from "@/lib/auth/credentials/two-factor";
import { parseSealingKeys } from "@/lib/auth/sealing";
import { devSecrets } from "@/lib/dev/secrets";
import { encryptionEnv, setEnv } from "@/lib/env";
import { inProduction, readEnvFiles, withTables } from "./database";
import { command, green, say, warn } from "./terminal";

/*
 * `npm run keys:rotate`: seals every secret with the first key of ENCRYPTION_KEYS, and reports when
 * the other keys can be removed. It can be repeated, and the server may run meanwhile.
 */

command(async () => {
  readEnvFiles();
  if (!inProduction()) setEnv(await devSecrets());
  const keys = parseSealingKeys(encryptionEnv().ENCRYPTION_KEYS);
  await withTables(async ({ db }) => {
    const { resealed, unreadable } = await resealSecrets(db, keys);
    say(`${green("✓")} ${resealed} secret${resealed === 1 ? "" : "s"} sealed with the first key.`);
    if (unreadable > 0)
      warn(`${unreadable} could not be opened: the key is not in ENCRYPTION_KEYS.`);
    else say("All other keys can be removed from ENCRYPTION_KEYS.");
  });
});
