"use server";

import { revalidatePath } from "next/cache";
import { redirect } from "next/navigation";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { database } from "@/lib/db/client";
import { id, team } from "@/lib/fields";
import { type FormState, formOf, readForm, typedValues } from "@/lib/form";
import { consume } from "@/lib/rate-limits";
import * as members from "@/lib/teams/members";
import { teamRoles } from "@/lib/teams/roles";
import type { MemberScope } from "@/lib/teams/scope";
import { requireSameOrigin } from "@/lib/web/request";
import { requireTeam, requireTeamProof, teamPath } from "@/lib/web/team";

const roleChange = z.object({
  ...{ team, user: id },
  role: z.enum(teamRoles, "Choose a role from the list."),
});

/**
 * The permission depends on the other member's role, which lib/teams checks. Promoting a member to
 * owner or demoting an owner needs a recent proof of identity, as a transfer does: an unattended
 * browser is not enough.
 */
export async function changeMemberRole(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const scope = await requireTeam(formOf(form).get("team"), "/settings/members", "change-role");
  const read = readForm(roleChange, form);
  if (!read.ok) return withoutHiddenFields(read.state);
  const { session, handle } = scope;
  const { user, role } = read.data;
  const values = typedValues(roleChange, form);
  if (role === "owner" || (await isOwner(scope, user)))
    await requireTeamProof(scope, "/settings/members", {
      form: `change-role ${handle} ${user}`,
      values,
    });
  const taken = await consume(database(), "changeRolePerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter), values };

  const changed = await members.changeMemberRole(database(), scope, user, role);
  // The team's navigation depends on the user's own role, and the browser has it cached.
  if (changed.ok && user === session.userId) revalidatePath("/t/[team]", "layout");
  const notice = changed.ok ? "role-changed" : changed.reason;
  redirect(teamPath(handle, `/settings/members?notice=${notice}`));
}

async function isOwner(scope: MemberScope, userId: string): Promise<boolean> {
  return (await members.findMember(database(), scope, userId))?.role === "owner";
}

/** Replaces the errors of hidden fields by one message, because no visible field can show them. */
function withoutHiddenFields(state: FormState): FormState {
  const { team, user, ...errors } = state.errors ?? {};
  if (!team && !user) return state;
  return { ...state, errors, message: "This form is incomplete. Reload the page." };
}
