import { healthTimeout } from "@/lib/auth/policy";
import { database, isAnswering } from "@/lib/db/client";
import { version } from "@/package.json";

export const dynamic = "force-dynamic";

/** For load balancers: whether this instance can serve requests, which needs its database. */
export async function GET(): Promise<Response> {
  const headers = { "Cache-Control": "no-store" };
  return (await answers())
    ? Response.json({ status: "ok", version }, { headers })
    : Response.json({ status: "unavailable" }, { status: 503, headers });
}

async function answers(): Promise<boolean> {
  const timeout = new Promise<false>((resolve) => setTimeout(resolve, healthTimeout, false));
  return Promise.race([isAnswering(database()), timeout]);
}
