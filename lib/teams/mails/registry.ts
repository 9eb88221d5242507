import type { z } from "zod";
import { billing } from "./billing";
import { deleted } from "./deleted";
import { invitation } from "./invitation";
import { joined } from "./joined";
import { keyCreated } from "./key-created";
import { ownerAdded } from "./owner-added";
import { removed } from "./removed";
import { roleChanged } from "./role-changed";

/*
 * Every mail of teams. A new one is a file beside this one and its line here: from that its payload's type
 * follows, and tests/lib/teams/mails/registry.test.ts tests it with all others.
 */

export const teamMails = [
  billing,
  deleted,
  invitation,
  joined,
  keyCreated,
  ownerAdded,
  removed,
  roleChanged,
] as const;

type TeamMails = (typeof teamMails)[number];

export type TeamMailName = TeamMails["name"];

/** What the job of this mail has to say. */
export type TeamMailPayload<Name extends TeamMailName> = z.infer<
  Extract<TeamMails, { name: Name }>["payload"]
>;

/** A job's payload as it stands in the queue. */
export type TeamMailJob = {
  [Name in TeamMailName]: { mail: Name } & TeamMailPayload<Name>;
}[TeamMailName];
