import os from "node:os";
import { connect } from "@/lib/db/client";

/** Returns one line about the machine that the numbers were measured on. */
export async function machine(databaseUrl: string): Promise<string> {
  const { sql } = connect(databaseUrl, { max: 1 });
  const [row] = await sql<{ version: string; cache: string }[]>`
    select current_setting('server_version') as version, current_setting('shared_buffers') as cache`;
  await sql.end();
  const cpus = os.cpus();
  return [
    cpus[0]?.model.trim() || os.arch(),
    `${cpus.length} cores`,
    `${Math.round(os.totalmem() / 2 ** 30)} GB`,
    `Node ${process.versions.node}`,
    `PostgreSQL ${row?.version.split(" ")[0]} with a cache of ${row?.cache}`,
    new Date().toISOString().slice(0, 10),
  ].join(" · ");
}
