"use server";

import { redirect } from "next/navigation";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { database } from "@/lib/db/client";
import { checkbox, id, team } from "@/lib/fields";
import { type FormState, formOf, readForm, typedValues } from "@/lib/form";
import { consume } from "@/lib/rate-limits";
import * as members from "@/lib/teams/members";
import { requireSameOrigin } from "@/lib/web/request";
import { requireTeam, teamPath } from "@/lib/web/team";

/** The right depends on the other member's role: lib/teams judges it. */
export async function removeMember(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const scope = await requireTeam(formOf(form).get("team"), "/settings/members", "remove");
  const removal = z.object({ team, user: id, ...keyFields(form) });
  const read = readForm(removal, form);
  if (!read.ok) return { ...read.state, message: "This form is incomplete. Reload the page." };
  const { session, handle } = scope;
  const taken = await consume(database(), "changeTeamPerUser", session.userId);
  if (!taken.ok)
    return { message: rateLimitMessage(taken.retryAfter), values: typedValues(removal, form) };

  const { user, team: _, ...ticked } = read.data;
  const keyIds = Object.keys(ticked).map((field) => field.slice(prefix.length));
  const removed = await members.removeMember(database(), scope, user, keyIds);
  const notice = removed.ok ? "removed" : removed.reason;
  redirect(teamPath(handle, `/settings/members?notice=${notice}`));
}

const prefix = "key-";

/** A checkbox for each key: a browser sends those that are ticked. */
function keyFields(form: FormData): Record<string, typeof checkbox> {
  const fields = [...formOf(form).keys()].filter(
    (field) => field.startsWith(prefix) && id.safeParse(field.slice(prefix.length)).success,
  );
  return Object.fromEntries(fields.map((field) => [field, checkbox]));
}
