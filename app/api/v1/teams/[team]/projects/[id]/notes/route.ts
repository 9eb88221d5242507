import type { z } from "zod";
import { answer, json, readId, readJson, readQuery } from "@/app/api/_answer";
import { Problem } from "@/lib/api/problems";
import { type addedNote, newNote, type notes, page } from "@/lib/api/schemas";
import { database } from "@/lib/db/client";
import { addNote, listNotes } from "@/lib/projects/notes";
import { findProject } from "@/lib/projects/projects";
import { requireTeamBearer } from "@/lib/web/team-bearer";
import { consumeWrite, pageOf } from "../../_projects";

type Context = RouteContext<"/api/v1/teams/[team]/projects/[id]/notes">;

/** Returns the notes on a project, newest first. */
export function GET(request: Request, { params }: Context): Promise<Response> {
  return answer(request, async () => {
    const scope = await requireTeamBearer(request, (await params).team, "projects:read");
    const id = readId((await params).id);
    const { cursor: after, limit } = readQuery(request, page);
    // An empty list would imply that the project exists.
    if (!(await findProject(database(), scope, id))) throw new Problem("not-found");
    const found = await listNotes(database(), scope, id, { after, limit: limit + 1 });
    const { rows, next } = pageOf(found, limit);
    return json({
      notes: rows.map(({ id, body, author, createdAt }) => ({
        ...{ id, body, author, created_at: createdAt.toISOString() },
      })),
      next,
    } satisfies z.infer<typeof notes>);
  });
}

export function POST(request: Request, { params }: Context): Promise<Response> {
  return answer(request, async () => {
    const scope = await requireTeamBearer(request, (await params).team, "projects:write");
    const project = readId((await params).id);
    const { body } = await readJson(request, newNote);
    await consumeWrite(scope);

    const id = await addNote(database(), scope, project, body);
    if (!id) throw new Problem("not-found");
    return json({ id } satisfies z.infer<typeof addedNote>, 201);
  });
}
