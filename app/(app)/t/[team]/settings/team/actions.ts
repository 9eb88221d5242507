"use server";

import { revalidatePath } from "next/cache";
import { notFound, redirect } from "next/navigation";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { database } from "@/lib/db/client";
import { team, teamName } from "@/lib/fields";
import { type FormState, formOf, readForm, typedValues } from "@/lib/form";
import { consume } from "@/lib/rate-limits";
import * as teams from "@/lib/teams/teams";
import { requireSameOrigin } from "@/lib/web/request";
import { requireTeam, teamPath } from "@/lib/web/team";

const renaming = z.object({ team, name: teamName });

export async function renameTeam(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const scope = await requireTeam(formOf(form).get("team"), "/settings/team", "rename");
  const read = readForm(renaming, form);
  if (!read.ok) return read.state;
  const taken = await consume(database(), "changeTeamPerUser", scope.session.userId);
  if (!taken.ok)
    return { message: rateLimitMessage(taken.retryAfter), values: typedValues(renaming, form) };

  const renamed = await teams.renameTeam(database(), scope, read.data.name);
  if (!renamed.ok) notFound();
  // The switcher shows the name too, and the browser would keep the one it has.
  revalidatePath("/t/[team]", "layout");
  redirect(teamPath(scope.handle, "/settings/team?notice=renamed"));
}
