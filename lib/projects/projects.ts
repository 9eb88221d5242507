import { and, eq, type SQL, sql } from "drizzle-orm";
import type { Db } from "@/lib/db/client";
import { after, cursor } from "@/lib/db/cursor";
import { notes } from "@/lib/db/schema/notes";
import { projects } from "@/lib/db/schema/projects";
import { teams } from "@/lib/db/schema/teams";
import { lockTeam } from "@/lib/teams/locks";
import { stillMay } from "@/lib/teams/rights";
import type { TeamScope } from "@/lib/teams/scope";

/*
 * A team's projects. Security: the `where` of every statement contains `scope.teamId`, so the id of
 * another team's project finds and changes nothing; every write checks the member's right again.
 */

export type Project = { id: string; name: string; archived: boolean; createdAt: Date };

export type ListedProject = Project & {
  notes: number;
  /** The cursor of the page after this project. */
  cursor: string;
};

/**
 * Returns projects, newest first. `search` matches any part of the name, case-insensitively.
 * `after` is the cursor of the last project on the previous page.
 */
export async function listProjects(
  db: Db,
  scope: TeamScope,
  page: { search?: string; archived?: boolean; after?: string; limit: number },
): Promise<ListedProject[]> {
  const where = and(
    sql`team_id = ${scope.teamId}`,
    page.archived === undefined ? undefined : sql`(archived_at is not null) = ${page.archived}`,
    page.search ? matches(page.search) : undefined,
    after(page.after),
  );
  const rows = await db.execute<Omit<ListedProject, "createdAt"> & { createdAt: string }>(sql`
    with page as (
      select id, name, archived_at, created_at from ${projects}
      where ${where} order by created_at desc, id desc limit ${page.limit})
    select id, name, archived_at is not null as archived, created_at as "createdAt",
      (select count(*)::int from ${notes}
        where ${notes.teamId} = ${scope.teamId} and ${notes.projectId} = page.id) as notes,
      ${cursor} as cursor
    from page order by created_at desc, id desc`);
  return rows.map((row) => ({ ...row, createdAt: new Date(row.createdAt) }));
}

function matches(search: string): SQL {
  const literal = search.replaceAll(/[\\%_]/g, "\\$&");
  return sql`lower(name) like '%' || lower(${literal}::text) || '%'`;
}

export async function findProject(db: Db, scope: TeamScope, id: string): Promise<Project | null> {
  const [project] = await db
    .select({
      id: projects.id,
      name: projects.name,
      archived: sql<boolean>`${projects.archivedAt} is not null`,
      createdAt: projects.createdAt,
    })
    .from(projects)
    .where(isProject(scope, id));
  return project ?? null;
}

export type CreateProject =
  | { ok: true; id: string }
  | { ok: false; reason: "too-many" | "not-allowed" };

/**
 * Creates a project. "not-allowed" also if the team was deleted in the meantime. "too-many" if the
 * plan limits projects and the limit is reached; archived projects count.
 */
export async function createProject(
  db: Db,
  scope: TeamScope,
  name: string,
): Promise<CreateProject> {
  const { teamId, actor, limits } = scope;
  return db.transaction(async (tx) => {
    if (limits.projects !== null && !(await hasRoomLocked(tx, scope)))
      return { ok: false, reason: "too-many" };
    const [project] = await tx.execute<{ id: string }>(sql`
      with team as (select id from ${teams} where id = ${teamId} for key share)
      insert into ${projects} (team_id, name, created_by)
      select id, ${name}, ${actor.userId}::uuid from team where ${stillMay(scope, "write-projects")}
      returning id`);
    return project ? { ok: true, id: project.id } : { ok: false, reason: "not-allowed" };
  });
}

/**
 * Returns whether the team's current plan allows one more project. Locks the team until the
 * transaction ends, so that each of several parallel calls counts the project of the previous one.
 */
async function hasRoomLocked(tx: Db, { teamId, actor }: TeamScope): Promise<boolean> {
  const team = await lockTeam(tx, teamId, actor.userId ? [actor.userId] : []);
  const most = team?.limits.projects ?? Number.POSITIVE_INFINITY;
  return (await tx.$count(projects, eq(projects.teamId, teamId))) < most;
}

/** Returns the number of projects. Archived ones are included: they count for the plan. */
export function countProjects(db: Db, { teamId }: TeamScope): Promise<number> {
  return db.$count(projects, eq(projects.teamId, teamId));
}

/**
 * Renames a project, archives it or restores it. Omitted fields stay unchanged. Returns false if
 * the team has no such project (any more) or the member may not change it.
 */
export async function changeProject(
  db: Db,
  scope: TeamScope,
  id: string,
  { name, archived }: { name?: string; archived?: boolean },
): Promise<boolean> {
  // A project that is already archived keeps its time.
  const archivedAt = archived ? sql`coalesce(${projects.archivedAt}, now())` : null;
  const changed = await db
    .update(projects)
    .set({ name, ...(archived !== undefined && { archivedAt }) })
    .where(and(isProject(scope, id), stillMay(scope, "write-projects")))
    .returning({ id: projects.id });
  return changed.length > 0;
}

/** Deletes a project and its notes. Returns false in the same cases as `changeProject`. */
export async function deleteProject(db: Db, scope: TeamScope, id: string): Promise<boolean> {
  const deleted = await db
    .delete(projects)
    .where(and(isProject(scope, id), stillMay(scope, "delete-projects")))
    .returning({ id: projects.id });
  return deleted.length > 0;
}

function isProject({ teamId }: TeamScope, id: string): SQL | undefined {
  return and(eq(projects.teamId, teamId), eq(projects.id, id));
}
