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
 * Owns a team's projects. The security fact: `scope.teamId` stands in the `where` of every statement, so the
 * id of another team's project finds nothing and changes nothing; and a write judges again what its member may.
 */

export type Project = { id: string; name: string; archived: boolean; createdAt: Date };

export type ListedProject = Project & {
  notes: number;
  /** Where the page after this project begins. */
  cursor: string;
};

/**
 * The newest first. `search` matches any part of the name, in any case; `after` is the cursor of the last
 * project of the page before.
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

/** "not-allowed" also where the team is deleted meanwhile. "too-many" where the plan of the team has a limit: archived projects count. */
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
 * Whether the plan of the team, as it is now, allows one more. Locks the team until the transaction ends: of
 * parallel calls, each counts what the one before it made.
 */
async function hasRoomLocked(tx: Db, { teamId, actor }: TeamScope): Promise<boolean> {
  const team = await lockTeam(tx, teamId, actor.userId ? [actor.userId] : []);
  const most = team?.limits.projects ?? Number.POSITIVE_INFINITY;
  return (await tx.$count(projects, eq(projects.teamId, teamId))) < most;
}

/** All of them: archived ones count for the plan. */
export function countProjects(db: Db, { teamId }: TeamScope): Promise<number> {
  return db.$count(projects, eq(projects.teamId, teamId));
}

/**
 * Renames a project, archives it or takes it out of the archive; what is left out stays. False where there is
 * no such project in the team (any more), or the member may not.
 */
export async function changeProject(
  db: Db,
  scope: TeamScope,
  id: string,
  { name, archived }: { name?: string; archived?: boolean },
): Promise<boolean> {
  // A project that was archived before keeps the time.
  const archivedAt = archived ? sql`coalesce(${projects.archivedAt}, now())` : null;
  const changed = await db
    .update(projects)
    .set({ name, ...(archived !== undefined && { archivedAt }) })
    .where(and(isProject(scope, id), stillMay(scope, "write-projects")))
    .returning({ id: projects.id });
  return changed.length > 0;
}

/** Deletes a project with its notes. False as above. */
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
