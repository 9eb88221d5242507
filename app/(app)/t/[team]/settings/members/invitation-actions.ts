"use server";

import { notFound, redirect } from "next/navigation";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { database } from "@/lib/db/client";
import { email, id, team } from "@/lib/fields";
import { type FormState, formOf, readForm, typedValues } from "@/lib/form";
import { consume, consumeInvitation } from "@/lib/rate-limits";
import * as invitations from "@/lib/teams/invitations";
import { invitedRoles } from "@/lib/teams/roles";
import type { MemberScope } from "@/lib/teams/scope";
import { requireSameOrigin } from "@/lib/web/request";
import { requireTeam, teamPath } from "@/lib/web/team";

const below = "/settings/members";

const inviting = z.object({
  ...{ team, email },
  role: z.enum(invitedRoles, "Choose a role from the list."),
});

export async function sendInvitation(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const scope = await requireTeam(formOf(form).get("team"), below, "invite");
  const read = readForm(inviting, form);
  if (!read.ok) return read.state;
  const { email, role } = read.data;
  const values = typedValues(inviting, form);
  const taken = await consumeInvitation(database(), sentFrom(scope), email);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter), values };

  const invited = await invitations.invite(database(), scope, { email, role });
  if (invited.ok) redirect(teamPath(scope.handle, `${below}?notice=invited`));
  switch (invited.reason) {
    case "not-allowed":
      return notFound();
    case "member":
      return { errors: { email: "The user with this email is a member already." }, values };
    case "invited":
      return {
        errors: { email: "This email is invited already. Send the invitation below again." },
        values,
      };
    case "full":
      return { message: allSeatsUsed(scope.limits.members), values };
  }
}

const one = z.object({ team, id });

export async function sendInvitationAgain(
  _previous: FormState,
  form: FormData,
): Promise<FormState> {
  await requireSameOrigin();
  const scope = await requireTeam(formOf(form).get("team"), below, "invite");
  const read = readForm(one, form);
  const gone = teamPath(scope.handle, `${below}?notice=invitation-gone`);
  if (!read.ok) redirect(gone);
  const sent = await invitations.findSent(database(), scope, read.data.id);
  if (!sent) redirect(gone);
  const taken = await consumeInvitation(database(), sentFrom(scope), sent.email);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const again = await invitations.sendInvitationAgain(database(), scope, read.data.id);
  if (again.ok) redirect(teamPath(scope.handle, `${below}?notice=sent-again`));
  switch (again.reason) {
    case "not-allowed":
      return notFound();
    case "gone":
      return redirect(gone);
    case "full":
      return { message: allSeatsUsed(scope.limits.members) };
  }
}

export async function revokeInvitation(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const scope = await requireTeam(formOf(form).get("team"), below, "invite");
  const read = readForm(one, form);
  if (!read.ok) redirect(teamPath(scope.handle, `${below}?notice=invitation-gone`));
  const taken = await consume(database(), "changeTeamPerUser", scope.session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const revoked = await invitations.revokeInvitation(database(), scope, read.data.id);
  if (!revoked.ok && revoked.reason === "not-allowed") notFound();
  const notice = revoked.ok ? "invitation-revoked" : "invitation-gone";
  redirect(teamPath(scope.handle, `${below}?notice=${notice}`));
}

function sentFrom({ teamId, session }: MemberScope) {
  return { teamId, senderId: session.userId };
}

function allSeatsUsed(seats: number): string {
  return `All ${seats} seats are used, by members and open invitations. Remove or revoke one first.`;
}
