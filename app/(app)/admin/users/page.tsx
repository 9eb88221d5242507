import type { Metadata, Route } from "next";
import { Field, Select } from "@/app/_ui/field";
import { Link } from "@/app/_ui/link";
import { Notice } from "@/app/_ui/notice";
import { Badge, EmptyState, PageHeader } from "@/app/_ui/page";
import { Pager } from "@/app/_ui/pager";
import { type Column, Table } from "@/app/_ui/table";
import { Time } from "@/app/_ui/time";
import { isShort, type ListedUser, listUsers, shortSearchReach } from "@/lib/admin/users";
import { roles } from "@/lib/auth/roles";
import { database } from "@/lib/db/client";
import { requireAdmin } from "@/lib/web/sudo";
import { enumParam, stringParam, urlFor } from "../../search-params";

export const metadata: Metadata = { title: "Users" };

const notices = {
  "user-gone": { info: "This user no longer exists. Nothing was changed." },
};

const perPage = 25;

export default async function UsersPage({ searchParams }: PageProps<"/admin/users">) {
  const query = await searchParams;
  const q = stringParam(query, "q");
  const role = enumParam(query, "role", roles);
  const status = enumParam(query, "status", ["active", "suspended"]);
  const after = stringParam(query, "after") || undefined;
  const path = (after?: string) => urlFor("/admin/users", { q, role, status, after });
  await requireAdmin(path(after));
  const found = await listUsers(database(), { search: q, role, status, after, limit: perPage + 1 });
  const shown = found.slice(0, perPage);
  const older = found.length > perPage ? shown.at(-1)?.cursor : undefined;
  const filtered = q || role || status;

  return (
    <>
      <PageHeader title="Users" />
      <Notice notice={query.notice} sentences={notices} />
      <form
        method="get"
        action="/admin/users"
        className="grid grid-cols-2 items-end gap-3 sm:grid-cols-[1fr_9rem_9rem_auto]"
      >
        <div className="col-span-2 sm:col-span-1">
          <Field name="q" label="Search" required={false} defaultValue={q} maxLength={254} />
        </div>
        <Select
          name="role"
          label="Role"
          options={{ "": "Any", user: "User", admin: "Admin" }}
          defaultValue={role ?? ""}
        />
        <Select
          name="status"
          label="Status"
          options={{ "": "Any", active: "Active", suspended: "Suspended" }}
          defaultValue={status ?? ""}
        />
        <button type="submit" className="button col-span-2 sm:col-span-1">
          Search
        </button>
      </form>
      {q && isShort(q) && (
        <p className="text-sm text-muted">
          A search this short covers only the newest {shortSearchReach.toLocaleString("en")} users.
          Use at least three consecutive letters or digits to search all users.
        </p>
      )}
      {shown.length > 0 ? (
        <Table columns={columns} rows={shown} rowKey={(user) => user.id} />
      ) : (
        <EmptyState>{filtered ? "No users match." : "No users yet."}</EmptyState>
      )}
      <Pager
        newest={after ? path() : undefined}
        older={older ? path(older) : undefined}
        clear={filtered ? "/admin/users" : undefined}
      />
    </>
  );
}

const columns: Column<ListedUser>[] = [
  {
    label: "User",
    cell: (user) => (
      <>
        <Link href={`/admin/users/${user.id}` as Route} className="link">
          {user.name}
        </Link>
        <p className="text-muted">{user.email}</p>
      </>
    ),
  },
  {
    label: "Role",
    width: "w-20",
    cell: (user) => (user.role === "admin" ? <Badge>Admin</Badge> : "User"),
    hiddenInCard: (user) => user.role === "user",
  },
  {
    label: "Status",
    width: "w-28",
    cell: (user) =>
      user.status === "suspended" ? <Badge tone="danger">Suspended</Badge> : "Active",
    hiddenInCard: (user) => user.status === "active",
  },
  {
    label: "Last seen",
    cardLabel: "Seen",
    width: "w-32",
    cell: (user) => (user.lastSeenAt ? <Time at={user.lastSeenAt} /> : "never"),
  },
  {
    label: "Joined",
    cardLabel: "Joined",
    width: "w-32",
    cell: (user) => <Time at={user.createdAt} />,
  },
];
