import { days } from "@/lib/time";

/*
 * Constants of teams that do not depend on the plan, each with its reason. Limits that depend on
 * the plan are in lib/billing/plans.ts.
 */

export const teamPolicy = {
  ownedTeams: 20, // per user; more is a script, or a product that needs one team with projects
  invitation: days(7), // a colleague may be on holiday; an older mail is found only by chance
  expiredInvitation: days(30), // how long an expired one is listed, so that it can be sent again
  nameLength: 60, // characters; the name must fit the switcher, and appears in mails
  switcher: 20, // teams listed in the switcher; the page of all teams has the others
} as const;
