"use server";

import { notFound, redirect } from "next/navigation";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { database } from "@/lib/db/client";
import { label, team } from "@/lib/fields";
import { type FormState, formOf, readForm, typedValues } from "@/lib/form";
import * as projects from "@/lib/projects/projects";
import { consume } from "@/lib/rate-limits";
import { requireSameOrigin } from "@/lib/web/request";
import { requireTeam, teamPath } from "@/lib/web/team";

const newProject = z.object({ team, name: label });

export async function createProject(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const scope = await requireTeam(formOf(form).get("team"), "", "write-projects");
  const read = readForm(newProject, form);
  if (!read.ok) return read.state;
  const values = typedValues(newProject, form);
  const taken = await consume(database(), "writePerUser", scope.session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter), values };

  const created = await projects.createProject(database(), scope, read.data.name);

  if (created.ok) redirect(teamPath(scope.handle, `/projects/${created.id}?notice=created`));
  if (created.reason === "not-allowed") notFound();
  const { projects: limit } = scope.limits;
  const message = `The team's plan has room for ${limit} projects, including archived ones. Delete one, or upgrade the plan.`;
  return { message, values };
}
