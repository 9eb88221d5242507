"use server";

import { revalidatePath } from "next/cache";
import { notFound, redirect } from "next/navigation";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { apiKeyPolicy } from "@/lib/auth/policy";
import { database } from "@/lib/db/client";
import { checkbox, id, label, team } from "@/lib/fields";
import { type FormState, formOf, readForm, typedValues } from "@/lib/form";
import { consume } from "@/lib/rate-limits";
import { createTeamKey, revokeTeamKey, type TeamKeyScope, teamKeyScopes } from "@/lib/teams/keys";
import { requireSameOrigin } from "@/lib/web/request";
import { requireTeam, requireTeamSudo, teamPath } from "@/lib/web/team";

const below = "/settings/api-keys";
const lifetimes = [...apiKeyPolicy.lifetimes.map(String), "none"];

const newKey = z
  .object({
    team,
    name: label,
    "projects:read": checkbox,
    "projects:write": checkbox,
    expires: z.enum(lifetimes, "Choose when the key expires."),
  } satisfies Record<TeamKeyScope | "team" | "name" | "expires", z.ZodType>)
  .refine((typed) => teamKeyScopes.some((scope) => typed[scope]), {
    path: ["scopes"],
    message: "Choose at least one thing the key may do.",
  });

export async function createKeyOfTeam(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const values = typedValues(newKey, form);
  // Includes the handle, so that another team's page does not show a draft of this team.
  const submitted = { form: `create-key-of-team ${values.team}`, values };
  const scope = await requireTeamSudo(values.team, below, "manage-keys", submitted);
  const read = readForm(newKey, form);
  if (!read.ok) return read.state;
  const { name, expires, team: _, ...ticked } = read.data;

  const taken = await consume(database(), "apiKeyPerUser", scope.session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter), values };

  const created = await createTeamKey(database(), scope, {
    name,
    scopes: teamKeyScopes.filter((each) => ticked[each]),
    lifetime: expires === "none" ? null : Number(expires),
  });

  if (created.ok) {
    revalidatePath(teamPath(scope.handle, below));
    return { reveal: created.key };
  }
  if (created.reason === "not-allowed") notFound();
  const { keys } = scope.limits;
  return { message: `The team has ${keys} keys. Revoke one that it no longer needs.`, values };
}

const revoking = z.object({ team, id });

/** Needs no fresh proof of identity, because it only takes access away. */
export async function revokeKeyOfTeam(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const scope = await requireTeam(formOf(form).get("team"), below, "manage-keys");
  const read = readForm(revoking, form);
  if (!read.ok) redirect(teamPath(scope.handle, `${below}?notice=key-gone`));

  const taken = await consume(database(), "endPerUser", scope.session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const revoked = await revokeTeamKey(database(), scope, read.data.id);
  if (!revoked.ok && revoked.reason === "not-allowed") notFound();
  redirect(teamPath(scope.handle, `${below}?notice=${revoked.ok ? "key-revoked" : "key-gone"}`));
}
