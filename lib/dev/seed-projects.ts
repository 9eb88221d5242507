import type { Db } from "@/lib/db/client";
import { notes } from "@/lib/db/schema/notes";
import { projects } from "@/lib/db/schema/projects";
import { days, hours } from "@/lib/time";

/* The demo data of the example feature: projects and notes of the demo teams. */

type SampleProject = {
  team: string;
  name: string;
  by: string;
  /** How long ago, in milliseconds, as all times here. */
  created: number;
  archived?: number;
  notes: { by: string; created: number; body: string }[];
};

const sampleProjects: SampleProject[] = [
  {
    ...{ team: "Acme", name: "Website relaunch", by: "Dana Demo", created: days(12) },
    notes: [
      {
        ...{ by: "Dana Demo", created: days(11) },
        body: "The new texts are due on Friday.\nPictures can follow a week later.",
      },
      { by: "Ada Admin", created: days(9), body: "The host wants two weeks' notice for the move." },
      { by: "Mei Lin", created: hours(5), body: "Texts of all pages but “Prices” are in." },
    ],
  },
  {
    ...{ team: "Acme", name: "Customer interviews", by: "Mei Lin", created: days(5) },
    notes: [{ by: "Mei Lin", created: days(4), body: "Five of eight have answered." }],
  },
  { team: "Acme", name: "Hiring plan", by: "Ada Admin", created: hours(20), notes: [] },
  {
    ...{ team: "Acme", name: "Office move", by: "Dana Demo", created: days(35) },
    archived: days(14),
    notes: [{ by: "Dana Demo", created: days(14), body: "All boxes are unpacked." }],
  },
  {
    ...{ team: "Northwind", name: "Autumn catalogue", by: "Olga Petrova", created: days(8) },
    notes: [{ by: "Dana Demo", created: days(2), body: "I have read the first half." }],
  },
];

/** Inserts the demo projects. `teams` and `users` map names to ids. */
export async function insertSampleProjects(
  tx: Db,
  teams: Map<string, string>,
  users: Map<string, string>,
): Promise<void> {
  for (const sample of sampleProjects) {
    const teamId = `${teams.get(sample.team)}`;
    const [project] = await tx
      .insert(projects)
      .values({
        ...{ teamId, name: sample.name, createdBy: users.get(sample.by) },
        createdAt: ago(sample.created),
        archivedAt: sample.archived === undefined ? null : ago(sample.archived),
      })
      .returning({ id: projects.id });
    if (!project) throw new Error("insertSampleProjects: the insert returned no row.");
    for (const { by, created, body } of sample.notes)
      await tx.insert(notes).values({
        ...{ teamId, projectId: project.id, body },
        ...{ authorId: users.get(by), createdAt: ago(created) },
      });
  }
}

const ago = (milliseconds: number) => new Date(Date.now() - milliseconds);
