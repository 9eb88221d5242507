import type { Metadata } from "next";
import { Field, Select } from "@/app/_ui/field";
import { Form, Submit } from "@/app/_ui/form";
import { Link } from "@/app/_ui/link";
import { Notice } from "@/app/_ui/notice";
import { EmptyState, PageHeader, Section } from "@/app/_ui/page";
import { Pager } from "@/app/_ui/pager";
import { type Column, Table } from "@/app/_ui/table";
import { Time } from "@/app/_ui/time";
import { database } from "@/lib/db/client";
import { type ListedProject, listProjects } from "@/lib/projects/projects";
import { requireTeam, teamPath } from "@/lib/web/team";
import { enumParam, stringParam, urlFor } from "../../search-params";
import { createProject } from "./actions";

export const metadata: Metadata = { title: "Projects" };

const notices = {
  deleted: "The project and its notes are deleted.",
};

const perPage = 25;

export default async function ProjectsPage({ params, searchParams }: PageProps<"/t/[team]">) {
  const query = await searchParams;
  const q = stringParam(query, "q");
  const show = enumParam(query, "show", ["archived"]);
  const after = stringParam(query, "after") || undefined;
  const below = (after?: string) => urlFor("", { q, show, after });
  const scope = await requireTeam((await params).team, below(after));
  const found = await listProjects(database(), scope, {
    ...{ search: q, archived: show === "archived", after, limit: perPage + 1 },
  });
  const shown = found.slice(0, perPage);
  const older = found.length > perPage ? shown.at(-1)?.cursor : undefined;
  const list = teamPath(scope.handle);

  return (
    <>
      <PageHeader title="Projects" />
      <Notice notice={query.notice} sentences={notices} />
      <Section>
        <Form action={createProject} className="grid gap-4">
          <input type="hidden" name="team" value={scope.handle} />
          <div className="grid items-start gap-3 sm:grid-cols-[1fr_auto]">
            <Field name="name" label="New project" autoComplete="off" maxLength={100} />
            {/* Aligned with the input: the margin is the height of the label. */}
            <Submit className="button-primary sm:mt-6.5">Create project</Submit>
          </div>
        </Form>
      </Section>
      <form
        method="get"
        action={list}
        className="grid items-end gap-3 sm:grid-cols-[1fr_10rem_auto]"
      >
        <Field name="q" label="Search" required={false} defaultValue={q} maxLength={100} />
        <Select
          name="show"
          label="Show"
          options={{ "": "Active", archived: "Archived" }}
          defaultValue={show ?? ""}
        />
        <button type="submit" className="button">
          Search
        </button>
      </form>
      {shown.length > 0 ? (
        <Table columns={columns(scope.handle)} rows={shown} rowKey={(project) => project.id} />
      ) : (
        <NoProjects searched={q !== ""} archived={show === "archived"} />
      )}
      <Pager
        newest={after ? teamPath(scope.handle, below()) : undefined}
        older={older ? teamPath(scope.handle, below(older)) : undefined}
        clear={q || show ? list : undefined}
      />
    </>
  );
}

function NoProjects({ searched, archived }: { searched: boolean; archived: boolean }) {
  if (searched) return <EmptyState>No projects match.</EmptyState>;
  if (archived) return <EmptyState>No archived projects.</EmptyState>;
  return (
    <EmptyState title="No active projects">
      Create one above. All members of the team see it, and can write notes on it.
    </EmptyState>
  );
}

const columns = (handle: string): Column<ListedProject>[] => [
  {
    label: "Name",
    cell: ({ id, name }) => (
      <Link href={teamPath(handle, `/projects/${id}`)} className="link">
        {name}
      </Link>
    ),
  },
  { label: "Notes", cardLabel: "Notes", width: "w-24", cell: ({ notes }) => notes },
  {
    label: "Created",
    cardLabel: "Created",
    width: "w-36",
    cell: ({ createdAt }) => <Time at={createdAt} />,
  },
];
