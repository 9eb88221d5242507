import type { z } from "zod";
import { answer, json, readJson, readQuery } from "@/app/api/_answer";
import { Problem } from "@/lib/api/problems";
import { newProject, page, type projects } from "@/lib/api/schemas";
import { database } from "@/lib/db/client";
import { createProject, findProject, listProjects } from "@/lib/projects/projects";
import { requireTeamBearer } from "@/lib/web/team-bearer";
import { consumeWrite, pageOf, projectJson } from "./_projects";

type Context = RouteContext<"/api/v1/teams/[team]/projects">;

/** Returns the team's projects, newest first. */
export function GET(request: Request, { params }: Context): Promise<Response> {
  return answer(request, async () => {
    const scope = await requireTeamBearer(request, (await params).team, "projects:read");
    const { cursor: after, limit } = readQuery(request, page);
    const found = await listProjects(database(), scope, { after, limit: limit + 1 });
    const { rows, next } = pageOf(found, limit);
    return json({ projects: rows.map(projectJson), next } satisfies z.infer<typeof projects>);
  });
}

export function POST(request: Request, { params }: Context): Promise<Response> {
  return answer(request, async () => {
    const scope = await requireTeamBearer(request, (await params).team, "projects:write");
    const { name } = await readJson(request, newProject);
    await consumeWrite(scope);

    const created = await createProject(database(), scope, name);
    if (!created.ok && created.reason === "too-many") throw new Problem("plan-limit-reached");
    const project = created.ok && (await findProject(database(), scope, created.id));
    // The member was removed or the project was deleted in the meantime.
    if (!project) throw new Problem("not-found");
    return json(projectJson(project), 201);
  });
}
