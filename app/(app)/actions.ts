"use server";

import { redirect } from "next/navigation";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { database } from "@/lib/db/client";
import { id, teamName } from "@/lib/fields";
import { type FormState, readForm, typedValues } from "@/lib/form";
import { consume } from "@/lib/rate-limits";
import * as joining from "@/lib/teams/joining";
import { teamPolicy } from "@/lib/teams/policy";
import * as teams from "@/lib/teams/teams";
import { requireSameOrigin } from "@/lib/web/request";
import { requireSession } from "@/lib/web/session";
import { teamPath } from "@/lib/web/team";

const schema = z.object({ name: teamName });

export async function createTeam(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSession("/teams");
  const read = readForm(schema, form);
  if (!read.ok) return read.state;
  const values = typedValues(schema, form);
  const taken = await consume(database(), "teamPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter), values };

  const created = await teams.createTeam(database(), session, read.data.name);
  if (created.ok) redirect(teamPath(created.handle));
  if (created.reason === "session-ended") redirect("/login?next=%2Fteams");
  const { ownedTeams } = teamPolicy;
  return { message: `You own ${ownedTeams} teams. Delete or transfer one of them first.`, values };
}

const invitation = z.object({ id });

/**
 * Accepts an invitation from the user's own list. Mailed ones are
 * accepted by app/(auth)/invitations/[token]/actions.ts.
 */
export async function joinTeam(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSession("/teams");
  const read = readForm(invitation, form);
  if (!read.ok) redirect("/teams?notice=invitation-gone");
  const taken = await consume(database(), "changeTeamPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const joined = await joining.acceptInvitation(database(), session, read.data);
  if (joined.ok) redirect(teamPath(joined.handle));
  if (joined.reason === "session-ended") redirect("/login?next=%2Fteams");
  if (joined.reason === "full")
    return { message: "The team has no free seat. You can join when it has one." };
  redirect("/teams?notice=invitation-gone");
}

export async function declineInvitation(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSession("/teams");
  const read = readForm(invitation, form);
  if (!read.ok) redirect("/teams?notice=invitation-gone");
  const taken = await consume(database(), "changeTeamPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const declined = await joining.declineInvitation(database(), session, read.data.id);
  if (!declined.ok && declined.reason === "session-ended") redirect("/login?next=%2Fteams");
  redirect(`/teams?notice=${declined.ok ? "declined" : "invitation-gone"}`);
}
