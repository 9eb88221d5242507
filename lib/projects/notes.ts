import { and, eq, or, sql } from "drizzle-orm";
import type { Db } from "@/lib/db/client";
import { after, cursor } from "@/lib/db/cursor";
import { notes } from "@/lib/db/schema/notes";
import { projects } from "@/lib/db/schema/projects";
import { users } from "@/lib/db/schema/users";
import { stillMay } from "@/lib/teams/rights";
import { can } from "@/lib/teams/roles";
import type { TeamScope } from "@/lib/teams/scope";

/*
 * Notes on a team's projects. Security: as in lib/projects/projects.ts. A note can be deleted by
 * its author, or by a member who may delete the project.
 */

export type Note = {
  id: string;
  body: string;
  /** The author's name. Null for an API key of the team, and if the author's account is deleted. */
  author: string | null;
  createdAt: Date;
  mayDelete: boolean;
  /** The cursor of the page after this note. */
  cursor: string;
};

type Row = Omit<Note, "createdAt" | "mayDelete"> & { createdAt: string; authorId: string | null };

/** Returns notes, newest first. `after` is the cursor of the last note on the previous page. */
export async function listNotes(
  db: Db,
  scope: TeamScope,
  projectId: string,
  page: { after?: string; limit: number },
): Promise<Note[]> {
  const where = and(
    sql`team_id = ${scope.teamId}`,
    sql`project_id = ${projectId}`,
    after(page.after),
  );
  const rows = await db.execute<Row>(sql`
    select id, body, created_at as "createdAt", author_id as "authorId", ${cursor} as cursor,
      (select ${users.name} from ${users} where ${users.id} = author_id) as author
    from ${notes} where ${where} order by created_at desc, id desc limit ${page.limit}`);
  return rows.map(({ authorId, createdAt, ...note }) => ({
    ...note,
    createdAt: new Date(createdAt),
    mayDelete: isActor(scope, authorId) || can(scope.role, "delete-projects"),
  }));
}

function isActor({ actor }: TeamScope, authorId: string | null): boolean {
  return authorId !== null && authorId === actor.userId;
}

/**
 * Adds a note and returns its id; null if the team has no such project or the member
 * may not add notes to it.
 */
export async function addNote(
  db: Db,
  scope: TeamScope,
  projectId: string,
  body: string,
): Promise<string | null> {
  // Locks the project, so that it cannot be deleted between this and the check of the foreign key.
  const [note] = await db.execute<{ id: string }>(sql`
    insert into ${notes} (team_id, project_id, body, author_id)
    select team_id, id, ${body}, ${scope.actor.userId}::uuid from ${projects}
    where team_id = ${scope.teamId} and id = ${projectId} and ${stillMay(scope, "write-projects")}
    for key share of ${projects}
    returning id`);
  return note?.id ?? null;
}

/** Returns false if the team has no such note (any more) or the member may not delete it. */
export async function deleteNote(db: Db, scope: TeamScope, id: string): Promise<boolean> {
  const own = and(
    sql`${notes.authorId} = ${scope.actor.userId}::uuid`,
    stillMay(scope, "write-projects"),
  );
  const deleted = await db
    .delete(notes)
    .where(
      and(
        eq(notes.teamId, scope.teamId),
        eq(notes.id, id),
        or(own, stillMay(scope, "delete-projects")),
      ),
    )
    .returning({ id: notes.id });
  return deleted.length > 0;
}
