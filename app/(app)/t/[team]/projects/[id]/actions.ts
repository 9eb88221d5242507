"use server";

import { notFound, redirect } from "next/navigation";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { database } from "@/lib/db/client";
import { checkbox, id, label, team, text } from "@/lib/fields";
import { type FormState, formOf, readForm, typedValues } from "@/lib/form";
import * as notes from "@/lib/projects/notes";
import * as projects from "@/lib/projects/projects";
import { consume } from "@/lib/rate-limits";
import { requireSameOrigin } from "@/lib/web/request";
import { requireTeam, teamPath } from "@/lib/web/team";

const renaming = z.object({ team, project: id, name: label });

export async function renameProject(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const scope = await requireTeam(formOf(form).get("team"), below(form), "write-projects");
  const read = readForm(renaming, form);
  if (!read.ok) return read.state;
  const { project, name } = read.data;
  const taken = await consume(database(), "writePerUser", scope.session.userId);
  if (!taken.ok)
    return { message: rateLimitMessage(taken.retryAfter), values: typedValues(renaming, form) };

  if (!(await projects.changeProject(database(), scope, project, { name }))) notFound();
  redirect(teamPath(scope.handle, `${below(form)}?notice=renamed`));
}

const archiving = z.object({ team, project: id, archived: checkbox });

export async function setProjectArchived(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const scope = await requireTeam(formOf(form).get("team"), below(form), "write-projects");
  const read = readForm(archiving, form);
  if (!read.ok) return read.state;
  const { project, archived } = read.data;
  const taken = await consume(database(), "writePerUser", scope.session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  if (!(await projects.changeProject(database(), scope, project, { archived }))) notFound();
  redirect(teamPath(scope.handle, `${below(form)}?notice=${archived ? "archived" : "unarchived"}`));
}

const sure = z.literal("on", "Tick this box to delete the project.");
const deletion = z.object({ team, project: id, sure });

export async function deleteProject(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const scope = await requireTeam(formOf(form).get("team"), below(form), "delete-projects");
  const read = readForm(deletion, form);
  if (!read.ok) return read.state;
  const taken = await consume(database(), "writePerUser", scope.session.userId);
  if (!taken.ok)
    return { message: rateLimitMessage(taken.retryAfter), values: typedValues(deletion, form) };

  if (!(await projects.deleteProject(database(), scope, read.data.project))) notFound();
  redirect(teamPath(scope.handle, "?notice=deleted"));
}

const newNote = z.object({ team, project: id, body: text });

export async function addNote(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const scope = await requireTeam(formOf(form).get("team"), below(form), "write-projects");
  const read = readForm(newNote, form);
  if (!read.ok) return read.state;
  const { project, body } = read.data;
  const taken = await consume(database(), "writePerUser", scope.session.userId);
  if (!taken.ok)
    return { message: rateLimitMessage(taken.retryAfter), values: typedValues(newNote, form) };

  if (!(await notes.addNote(database(), scope, project, body))) notFound();
  redirect(teamPath(scope.handle, `${below(form)}?notice=note-added`));
}

const note = z.object({ team, project: id, note: id });

export async function deleteNote(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const scope = await requireTeam(formOf(form).get("team"), below(form), "write-projects");
  const read = readForm(note, form);
  if (!read.ok) return read.state;
  const taken = await consume(database(), "writePerUser", scope.session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const deleted = await notes.deleteNote(database(), scope, read.data.note);
  redirect(
    teamPath(scope.handle, `${below(form)}?notice=${deleted ? "note-deleted" : "note-gone"}`),
  );
}

/** Returns the path of the project that the form names, or of the list if it names none. */
function below(form: FormData): string {
  const project = id.safeParse(formOf(form).get("project"));
  return project.success ? `/projects/${project.data}` : "";
}
