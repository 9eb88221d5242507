"use server";

import { revalidatePath } from "next/cache";
import { notFound, redirect } from "next/navigation";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { database } from "@/lib/db/client";
import { checkbox, team, teamName } from "@/lib/fields";
import { type FormState, formOf, readForm, typedValues } from "@/lib/form";
import { consume } from "@/lib/rate-limits";
import * as deletion from "@/lib/teams/deletion";
import * as members from "@/lib/teams/members";
import * as teams from "@/lib/teams/teams";
import { requireSameOrigin } from "@/lib/web/request";
import { requireRecentProof } from "@/lib/web/sudo";
import { requireTeam, requireTeamSudo, teamPath } from "@/lib/web/team";

const renaming = z.object({ team, name: teamName });

export async function renameTeam(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const scope = await requireTeam(formOf(form).get("team"), "/settings/team", "rename");
  const read = readForm(renaming, form);
  if (!read.ok) return read.state;
  const { session } = scope;
  const taken = await consume(database(), "changeTeamPerUser", session.userId);
  if (!taken.ok)
    return { message: rateLimitMessage(taken.retryAfter), values: typedValues(renaming, form) };

  const renamed = await teams.renameTeam(database(), scope, read.data.name);
  if (!renamed.ok) notFound();
  // The team switcher shows the name too, and the browser would keep its cached copy.
  revalidatePath("/t/[team]", "layout");
  redirect(teamPath(scope.handle, "/settings/team?notice=renamed"));
}

const strength = z.object({ team, required: checkbox });

/**
 * Turns the team's requirement of a strong proof on or off. An owner who turns it on must give such
 * a proof first: a weaker session would lock itself out.
 */
export async function requireStrong(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const scope = await requireTeam(formOf(form).get("team"), "/settings/team", "require-strong");
  const read = readForm(strength, form);
  if (!read.ok) return read.state;
  const { session, handle } = scope;
  const { required } = read.data;
  const values = typedValues(strength, form);
  const submitted = { form: "require-strong", values };
  const strongFor = required ? "team-owner" : scope.requiresStrong ? "team" : undefined;
  await requireRecentProof(session, teamPath(handle, "/settings/team"), submitted, strongFor);
  const taken = await consume(database(), "changeTeamPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter), values };

  const changed = await teams.requireStrongMembers(database(), scope, required);
  if (!changed.ok) notFound();
  const notice = required ? "strong-required" : "strong-optional";
  redirect(teamPath(handle, `/settings/team?notice=${notice}`));
}

const transfer = z.object({ team, user: z.uuid("Choose a member.") });

const transferRefusals = {
  gone: "This user is no longer a member.",
  unchanged: "You are an owner already.",
  suspended: "This member's account is suspended, so they could not act as an owner.",
};

export async function transferOwnership(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const handle = formOf(form).get("team");
  const values = typedValues(transfer, form);
  const submitted = { form: "transfer", values };
  const scope = await requireTeamSudo(handle, "/settings/team", "transfer", submitted);
  const read = readForm(transfer, form);
  if (!read.ok) return read.state;
  const { session } = scope;
  const taken = await consume(database(), "changeTeamPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter), values };

  const transferred = await members.transferOwnership(database(), scope, read.data.user);
  if (!transferred.ok && transferred.reason !== "not-allowed")
    return { errors: { user: transferRefusals[transferred.reason] }, values };
  if (!transferred.ok) notFound();
  // The team's navigation depends on the user's own role.
  revalidatePath("/t/[team]", "layout");
  redirect(teamPath(scope.handle, "/settings/team?notice=transferred"));
}

const leaving = z.object({ team });

export async function leaveTeam(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const scope = await requireTeam(formOf(form).get("team"), "/settings/team", "leave");
  const read = readForm(leaving, form);
  if (!read.ok) return { message: "This form is incomplete. Reload the page." };
  const { session } = scope;
  const taken = await consume(database(), "changeTeamPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const left = await members.leaveTeam(database(), scope);
  if (!left.ok && left.reason === "last-owner")
    return {
      message:
        "You are the only owner. Transfer the ownership first, make another member an owner, or delete the team.",
    };
  // Also if the membership ended meanwhile: otherwise the browser keeps the team's cached pages.
  revalidatePath("/t/[team]", "layout");
  redirect("/teams?notice=left");
}

const deleting = z.object({ team, confirmation: teamName });

export async function deleteTeam(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const handle = formOf(form).get("team");
  const values = typedValues(deleting, form);
  const submitted = { form: "delete-team", values };
  const scope = await requireTeamSudo(handle, "/settings/team", "delete", submitted);
  const read = readForm(deleting, form);
  if (!read.ok) return read.state;
  if (asShown(read.data.confirmation) !== asShown(scope.name))
    return { errors: { confirmation: "Type the team's name exactly as shown above." }, values };
  const { session } = scope;
  const taken = await consume(database(), "changeTeamPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter), values };

  const deleted = await deletion.deleteTeam(database(), scope);
  if (!deleted.ok) notFound();
  revalidatePath("/t/[team]", "layout");
  redirect("/teams?notice=deleted");
}

/** Collapses spaces: a page shows several spaces as one. */
function asShown(name: string): string {
  return name.replaceAll(/\s+/g, " ");
}
