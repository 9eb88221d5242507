import type { Metadata, Route } from "next";
import Link from "next/link";
import { Field, Select } from "@/app/_ui/form";
import { Notice } from "@/app/_ui/notice";
import { Time } from "@/app/_ui/time";
import { isShort, type ListedUser, listUsers, shortSearchReach } from "@/lib/admin/users";
import { roles } from "@/lib/auth/roles";
import { database } from "@/lib/db/client";
import { requireAdmin } from "@/lib/web/sudo";
import { AdminBadge, SuspendedBadge } from "../badges";
import { address, asked, askedAmong } from "../query";

export const metadata: Metadata = { title: "Users" };

const notices = {
  "user-gone": "There is no such user any more. Nothing was changed.",
};

const perPage = 25;

export default async function UsersPage({ searchParams }: PageProps<"/admin/users">) {
  const query = await searchParams;
  const q = asked(query, "q");
  const role = askedAmong(query, "role", roles);
  const status = askedAmong(query, "status", ["active", "suspended"]);
  const after = asked(query, "after") || undefined;
  const path = (after?: string) => address("/admin/users", { q, role, status, after });
  await requireAdmin(path(after));
  const found = await listUsers(database(), { search: q, role, status, after, limit: perPage + 1 });
  const shown = found.slice(0, perPage);
  const older = found.length > perPage ? shown.at(-1)?.cursor : undefined;
  const narrowed = q || role || status;

  return (
    <>
      <h1 className="text-2xl font-semibold tracking-tight">Users</h1>
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
          So short a search looks at the newest {shortSearchReach.toLocaleString("en")} users only.
          Three letters or digits in a row find everybody.
        </p>
      )}
      {shown.length > 0 ? (
        <UserTable users={shown} />
      ) : (
        <p className="rounded-lg border border-dashed border-line-strong p-8 text-center text-muted">
          {narrowed ? "Nobody fits this search." : "Nobody here."}
        </p>
      )}
      <div className="flex flex-wrap gap-3">
        {after && (
          <Link href={path()} className="button">
            Newest
          </Link>
        )}
        {older && (
          <Link href={path(older)} className="button">
            Older
          </Link>
        )}
        {narrowed && (
          <Link href="/admin/users" className="button border-transparent text-muted">
            Show everybody
          </Link>
        )}
      </div>
    </>
  );
}

/** A table where there is room for one; a card each where there is not. */
function UserTable({ users }: { users: ListedUser[] }) {
  const head = "px-3 py-2.5 font-medium text-muted whitespace-nowrap first:pl-5 last:pr-5";
  return (
    <div className="card">
      <table className="w-full text-left text-sm max-md:block md:table-fixed">
        <thead className="border-b border-line max-md:sr-only">
          <tr>
            <th className={head}>User</th>
            <th className={`${head} w-20`}>Role</th>
            <th className={`${head} w-28`}>Status</th>
            <th className={`${head} w-32`}>Last seen</th>
            <th className={`${head} w-32`}>Joined</th>
          </tr>
        </thead>
        <tbody className="divide-y divide-line max-md:block">
          {users.map((user) => (
            <UserRow key={user.id} user={user} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function UserRow({ user }: { user: ListedUser }) {
  const cell = "align-top md:px-3 md:py-3 md:first:pl-5 md:last:pr-5";
  const label = "text-muted md:sr-only";
  return (
    <tr className="max-md:relative max-md:flex max-md:flex-wrap max-md:gap-x-4 max-md:gap-y-1 max-md:p-4">
      <td className={`${cell} wrap-anywhere max-md:w-full`}>
        <Link href={`/admin/users/${user.id}` as Route} className="link">
          {user.name}
        </Link>
        <p className="text-muted">{user.email}</p>
      </td>
      <td className={`${cell} ${user.role === "user" ? "max-md:sr-only" : ""}`}>
        {user.role === "admin" ? <AdminBadge /> : "User"}
      </td>
      <td className={`${cell} ${user.status === "active" ? "max-md:sr-only" : ""}`}>
        {user.status === "suspended" ? <SuspendedBadge /> : "Active"}
      </td>
      <td className={cell}>
        <span className={label}>Seen </span>
        {user.lastSeenAt ? <Time at={user.lastSeenAt} /> : "never"}
      </td>
      <td className={cell}>
        <span className={label}>Joined </span>
        <Time at={user.createdAt} />
      </td>
    </tr>
  );
}
