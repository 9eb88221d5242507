import { afterAll, inject } from "vitest";
import { connect } from "@/lib/db/client";
import { readVariable } from "@/lib/env";
import { cloneTemplate } from "./postgres";

/*
 * Import this and the test file owns a database, freshly cloned. Tests of one file share it, so
 * each makes its own users (users.ts) and looks at theirs alone.
 */

const { url, template } = inject("postgres");

export const databaseUrl = await cloneTemplate(
  url,
  template,
  `worker_${readVariable("VITEST_POOL_ID")}`,
);

export const { db, sql } = connect(databaseUrl);

/** A pool as wide as a race needs, each caller on a connection of its own. The test ends it. */
export function racingConnections(max: number): ReturnType<typeof connect> {
  return connect(databaseUrl, { max });
}

afterAll(() => sql.end());
