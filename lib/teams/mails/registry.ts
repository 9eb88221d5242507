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
 * All mails about teams. A new mail is a file in this folder and a line here: its payload's type
 * follows from that, and tests/lib/teams/mails/registry.test.ts tests it with all the others.
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

/** The payload that the job of this mail needs. */
export type TeamMailPayload<Name extends TeamMailName> = z.infer<
  Extract<TeamMails, { name: Name }>["payload"]
>;

/** A job's payload as stored in the queue. */
export type TeamMailJob = {
  [Name in TeamMailName]: { mail: Name } & TeamMailPayload<Name>;
}[TeamMailName];
