import { days } from "@/lib/time";

/*
 * Owns the numbers of teams that no plan changes, each with its reason. What depends on the plan is in
 * lib/billing/plans.ts.
 */

export const teamPolicy = {
  ownedTeams: 20, // per user; more is a script, or a product that should have one team with projects
  invitation: days(7), // a colleague may be on holiday; a mail that is older is found by chance
  expiredInvitation: days(30), // how long an expired one is listed, so that it can be sent again
  nameLength: 60, // characters; it has to fit the switcher, and stands in mails
  switcher: 20, // teams that the switcher lists; the page of all teams has the others
} as const;
