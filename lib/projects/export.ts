import { and, asc, eq } from "drizzle-orm";
import type { Db } from "@/lib/db/client";
import { members } from "@/lib/db/schema/members";
import { notes } from "@/lib/db/schema/notes";
import { projects } from "@/lib/db/schema/projects";
import { users } from "@/lib/db/schema/users";
import type { TeamScope } from "@/lib/teams/scope";

/* Exports a team's projects and notes. Users are named by email, former members not at all. */

export type ProjectsExport = {
  projects: { id: string; name: string; createdAt: Date; archivedAt: Date | null }[];
  notes: { projectId: string; body: string; author: string | null; createdAt: Date }[];
};

export async function exportProjects(db: Db, { teamId }: TeamScope): Promise<ProjectsExport> {
  const isMember = and(eq(members.teamId, teamId), eq(members.userId, notes.authorId));
  return {
    projects: await db
      .select({
        id: projects.id,
        name: projects.name,
        createdAt: projects.createdAt,
        archivedAt: projects.archivedAt,
      })
      .from(projects)
      .where(eq(projects.teamId, teamId))
      .orderBy(asc(projects.createdAt), asc(projects.id)),
    notes: await db
      .select({
        projectId: notes.projectId,
        body: notes.body,
        author: users.email,
        createdAt: notes.createdAt,
      })
      .from(notes)
      .leftJoin(members, isMember)
      .leftJoin(users, eq(users.id, members.userId))
      .where(eq(notes.teamId, teamId))
      .orderBy(asc(notes.createdAt), asc(notes.id)),
  };
}
