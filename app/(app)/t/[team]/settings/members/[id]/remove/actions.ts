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
import { requireTeam, requireTeamProof, teamPath } from "@/lib/web/team";

/**
 * The permission depends on the other member's role, which lib/teams checks. Removing an owner
 * needs a recent proof of identity, as a transfer does.
 */
export async function removeMember(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const scope = await requireTeam(formOf(form).get("team"), "/settings/members", "remove");
  const removal = z.object({ team, user: id, ...keyFields(form) });
  const read = readForm(removal, form);
  if (!read.ok) return { ...read.state, message: "This form is incomplete. Reload the page." };
  const { session, handle } = scope;
  const { user, team: _, ...sent } = read.data;
  const keys: Record<string, boolean | undefined> = sent;
  const target = await members.findMember(database(), scope, user);
  if (target?.role === "owner")
    await requireTeamProof(scope, `/settings/members/${user}/remove`, {
      form: `remove ${handle} ${user}`,
      values: typedValues(removal, form),
    });
  const taken = await consume(database(), "changeTeamPerUser", session.userId);
  if (!taken.ok)
    return { message: rateLimitMessage(taken.retryAfter), values: typedValues(removal, form) };

  const kept = Object.keys(keys).filter((field) => field.startsWith(shown));
  const keptKeys = kept.map((field) => field.slice(shown.length)).filter((id) => !keys[key + id]);
  const removed = await members.removeMember(database(), scope, user, keptKeys);
  const notice = removed.ok ? "removed" : removed.reason;
  redirect(teamPath(handle, `/settings/members?notice=${notice}`));
}

const [key, shown] = ["key-", "shown-"];

/**
 * Returns the fields of each key: a checkbox, which a browser sends only if it is ticked, and a
 * field that records that the key was shown.
 */
function keyFields(form: FormData): Record<string, typeof checkbox> {
  const fields = [...formOf(form).keys()].filter(
    (field) => /^(key|shown)-/.test(field) && id.safeParse(field.replace(/^\w+-/, "")).success,
  );
  return Object.fromEntries(fields.map((field) => [field, checkbox]));
}
