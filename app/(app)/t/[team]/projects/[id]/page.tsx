import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { Checkbox, Field, TextArea } from "@/app/_ui/field";
import { Form, Submit } from "@/app/_ui/form";
import { Link } from "@/app/_ui/link";
import { Notice } from "@/app/_ui/notice";
import { Badge, EmptyState, Section } from "@/app/_ui/page";
import { Pager } from "@/app/_ui/pager";
import { Time } from "@/app/_ui/time";
import { database } from "@/lib/db/client";
import { id as uuid } from "@/lib/fields";
import { listNotes, type Note } from "@/lib/projects/notes";
import { findProject, type Project } from "@/lib/projects/projects";
import { can } from "@/lib/teams/roles";
import type { TeamScope } from "@/lib/teams/scope";
import { requireTeam, teamPath } from "@/lib/web/team";
import { stringParam, urlFor } from "../../../../search-params";
import { addNote, deleteNote, deleteProject, renameProject, setProjectArchived } from "./actions";

export const metadata: Metadata = { title: "Project" };

const notices = {
  created: "The project is created.",
  renamed: "The project is renamed.",
  archived: "The project is archived. It is no longer in the list of active projects.",
  unarchived: "The project is active again.",
  "note-added": "The note is added.",
  "note-deleted": "The note is deleted.",
  "note-gone": { info: "That note was already deleted." },
};

const perPage = 25;

export default async function ProjectPage({
  params,
  searchParams,
}: PageProps<"/t/[team]/projects/[id]">) {
  const { team, id } = await params;
  const query = await searchParams;
  const below = `/projects/${encodeURIComponent(id)}`;
  const scope = await requireTeam(team, below);
  const project = uuid.safeParse(id).success ? await findProject(database(), scope, id) : null;
  if (!project) notFound();
  const after = stringParam(query, "after") || undefined;
  const found = await listNotes(database(), scope, id, { after, limit: perPage + 1 });
  const shown = found.slice(0, perPage);
  const older = found.length > perPage ? shown.at(-1)?.cursor : undefined;

  return (
    <>
      <ProjectHeading scope={scope} project={project} />
      <Notice notice={query.notice} sentences={notices} />
      <Section title="New note">
        <Form action={addNote} className="grid max-w-2xl gap-4">
          <Hidden scope={scope} project={project} />
          <TextArea name="body" label="Note" rows={4} maxLength={5000} />
          <Submit className="button-primary justify-self-start">Add note</Submit>
        </Form>
      </Section>
      {shown.length > 0 ? (
        <ol aria-label="Notes" className="card divide-y divide-line">
          {shown.map((note) => (
            <NoteRow key={note.id} scope={scope} project={project} note={note} />
          ))}
        </ol>
      ) : (
        <EmptyState>No notes yet.</EmptyState>
      )}
      <Pager
        newest={after ? teamPath(scope.handle, below) : undefined}
        older={older ? teamPath(scope.handle, urlFor(below, { after: older })) : undefined}
      />
      <Section title="Name">
        <Form action={renameProject} className="grid max-w-md gap-4">
          <Hidden scope={scope} project={project} />
          <Field
            name="name"
            label="Name"
            autoComplete="off"
            maxLength={100}
            defaultValue={project.name}
          />
          <Submit className="button justify-self-start">Rename</Submit>
        </Form>
      </Section>
      <ArchiveSection scope={scope} project={project} />
      {can(scope.role, "delete-projects") && <DeleteSection scope={scope} project={project} />}
    </>
  );
}

type InTeam = { scope: TeamScope; project: Project };

function ProjectHeading({ scope, project }: InTeam) {
  return (
    <div>
      <Link href={teamPath(scope.handle)} className="link text-sm">
        Projects
      </Link>
      <div className="mt-2 flex flex-wrap items-center gap-x-3 gap-y-1">
        <h1 className="text-2xl font-semibold tracking-tight wrap-anywhere">{project.name}</h1>
        {project.archived && <Badge>Archived</Badge>}
      </div>
      <p className="mt-1 text-sm text-muted">
        Created <Time at={project.createdAt} />.
      </p>
    </div>
  );
}

/** The hidden fields that name the team and the project. The action looks both up. */
function Hidden({ scope, project }: InTeam) {
  return (
    <>
      <input type="hidden" name="team" value={scope.handle} />
      <input type="hidden" name="project" value={project.id} />
    </>
  );
}

function NoteRow({ scope, project, note }: InTeam & { note: Note }) {
  return (
    <li className="grid grid-cols-[1fr_auto] items-start gap-x-4 gap-y-1 p-4 sm:p-5">
      <p className="min-w-0 text-sm whitespace-pre-wrap wrap-anywhere">{note.body}</p>
      {note.mayDelete && (
        <Form action={deleteNote}>
          <Hidden scope={scope} project={project} />
          <input type="hidden" name="note" value={note.id} />
          <Submit className="button -my-1 min-h-9 px-3">
            Delete<span className="sr-only"> the note “{note.body.slice(0, 40)}”</span>
          </Submit>
        </Form>
      )}
      <p className="text-sm wrap-anywhere text-muted">
        {note.author ?? "An API key, or a deleted account"}, <Time at={note.createdAt} />
      </p>
    </li>
  );
}

function ArchiveSection({ scope, project }: InTeam) {
  return (
    <Section
      title={project.archived ? "Unarchive" : "Archive"}
      description={
        project.archived
          ? "Puts the project back into the list of active projects."
          : "Takes the project out of the list of active projects. Nothing is deleted."
      }
    >
      <Form action={setProjectArchived}>
        <Hidden scope={scope} project={project} />
        {!project.archived && <input type="hidden" name="archived" value="on" />}
        <Submit className="button">{project.archived ? "Unarchive" : "Archive"}</Submit>
      </Form>
    </Section>
  );
}

function DeleteSection({ scope, project }: InTeam) {
  return (
    <Section
      tone="danger"
      title="Delete project"
      description="Deletes the project and all its notes at once. This cannot be undone."
    >
      <Form action={deleteProject} className="grid gap-4">
        <Hidden scope={scope} project={project} />
        <Checkbox name="sure" label={`Delete “${project.name}” and its notes`} />
        <Submit className="button-danger justify-self-start">Delete project</Submit>
      </Form>
    </Section>
  );
}
