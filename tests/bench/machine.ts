import os from "node:os";
import { connect } from "@/lib/db/client";

/** What the numbers were measured on, in one line. */
export async function machine(databaseUrl: string): Promise<string> {
  const { sql } = connect(databaseUrl, { max: 1 });
  const [row] = await sql<{ server_version: string }[]>`show server_version`;
  await sql.end();
  const cpus = os.cpus();
  return [
    cpus[0]?.model.trim() || os.arch(),
    `${cpus.length} cores`,
    `${Math.round(os.totalmem() / 2 ** 30)} GB`,
    `Node ${process.versions.node}`,
    `PostgreSQL ${row?.server_version.split(" ")[0]}`,
    new Date().toISOString().slice(0, 10),
  ].join(" · ");
}
