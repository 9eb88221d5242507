import { answer, json, noContent, readId, readJson } from "@/app/api/_answer";
import { Problem } from "@/lib/api/problems";
import { projectChange } from "@/lib/api/schemas";
import { database } from "@/lib/db/client";
import { changeProject, deleteProject, findProject } from "@/lib/projects/projects";
import { can } from "@/lib/teams/roles";
import { requireTeamBearer } from "@/lib/web/team-bearer";
import { consumeWrite, projectJson } from "../_projects";

type Context = RouteContext<"/api/v1/teams/[team]/projects/[id]">;

/**
 * Returns a project. Here and below, another team's project gets the same "not found" as one that
 * does not exist.
 */
export function GET(request: Request, { params }: Context): Promise<Response> {
  return answer(request, async () => {
    const scope = await requireTeamBearer(request, (await params).team, "projects:read");
    const project = await findProject(database(), scope, readId((await params).id));
    if (!project) throw new Problem("not-found");
    return json(projectJson(project));
  });
}

export function PATCH(request: Request, { params }: Context): Promise<Response> {
  return answer(request, async () => {
    const scope = await requireTeamBearer(request, (await params).team, "projects:write");
    const id = readId((await params).id);
    const change = await readJson(request, projectChange);
    await consumeWrite(scope);

    const changed = await changeProject(database(), scope, id, change);
    const project = changed && (await findProject(database(), scope, id));
    if (!project) throw new Problem("not-found");
    return json(projectJson(project));
  });
}

export function DELETE(request: Request, { params }: Context): Promise<Response> {
  return answer(request, async () => {
    const scope = await requireTeamBearer(request, (await params).team, "projects:write");
    const id = readId((await params).id);
    if (!can(scope.role, "delete-projects")) throw new Problem("insufficient-role");
    await consumeWrite(scope);

    if (!(await deleteProject(database(), scope, id))) throw new Problem("not-found");
    return noContent();
  });
}
