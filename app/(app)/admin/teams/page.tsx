import type { Metadata, Route } from "next";
import { Field } from "@/app/_ui/field";
import { Link } from "@/app/_ui/link";
import { Notice } from "@/app/_ui/notice";
import { EmptyState, PageHeader } from "@/app/_ui/page";
import { Pager } from "@/app/_ui/pager";
import { type Column, Table } from "@/app/_ui/table";
import { Time } from "@/app/_ui/time";
import { plans } from "@/lib/billing/plans";
import { database } from "@/lib/db/client";
import { type AdminTeam, listAllTeams } from "@/lib/teams/administration";
import { requireAdmin } from "@/lib/web/sudo";
import { stringParam, urlFor } from "../../search-params";

export const metadata: Metadata = { title: "Teams" };

const notices = {
  "team-gone": { info: "This team no longer exists. Nothing was changed." },
};

const perPage = 25;

export default async function AdminTeamsPage({ searchParams }: PageProps<"/admin/teams">) {
  const query = await searchParams;
  const q = stringParam(query, "q");
  const after = stringParam(query, "after") || undefined;
  const path = (after?: string) => urlFor("/admin/teams", { q, after });
  await requireAdmin(path(after));
  const found = await listAllTeams(database(), { search: q, after, limit: perPage + 1 });
  const shown = found.slice(0, perPage);
  const older = found.length > perPage ? shown.at(-1)?.cursor : undefined;
  return (
    <>
      <PageHeader title="Teams" />
      <Notice notice={query.notice} sentences={notices} />
      <form
        method="get"
        action="/admin/teams"
        className="grid items-end gap-3 sm:grid-cols-[1fr_auto]"
      >
        <Field name="q" label="Search" required={false} defaultValue={q} maxLength={254} />
        <button type="submit" className="button">
          Search
        </button>
      </form>
      {shown.length > 0 ? (
        <Table columns={columns} rows={shown} rowKey={(team) => team.id} />
      ) : (
        <EmptyState>{q ? "No teams match." : "No teams yet."}</EmptyState>
      )}
      <Pager
        newest={after ? path() : undefined}
        older={older ? path(older) : undefined}
        clear={q ? "/admin/teams" : undefined}
      />
    </>
  );
}

const columns: Column<AdminTeam>[] = [
  {
    label: "Team",
    cell: ({ id, name, handle }) => (
      <>
        <Link href={`/admin/teams/${id}` as Route} className="link">
          {name}
        </Link>
        <p className="text-muted">/t/{handle}</p>
      </>
    ),
  },
  { label: "Plan", width: "w-20", cell: ({ plan }) => plans[plan].name },
  { label: "Members", cardLabel: "Members", width: "w-28", cell: ({ members }) => members },
  {
    label: "Created",
    cardLabel: "Created",
    width: "w-32",
    cell: ({ createdAt }) => <Time at={createdAt} />,
  },
];
