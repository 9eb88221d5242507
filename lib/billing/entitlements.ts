import { type SQL, sql } from "drizzle-orm";
import type { Plan } from "./plans";

/*
 * Owns the answer which plan a team has now. It is SQL, so that the lookup of a request has it in its one
 * statement, and the function that enforces a limit reads it under the team's lock.
 */

/** The plan of the team whose row is named `teams`. Nothing is sold yet: every team has the plan "pro". */
export const entitledPlan: SQL<Plan> = sql<Plan>`'pro'`;
