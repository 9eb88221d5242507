import type { Metadata } from "next";
import Link from "next/link";
import { notFound } from "next/navigation";
import { DeviceRow } from "@/app/_ui/device";
import { Field, Form, Select, Submit } from "@/app/_ui/form";
import { Notice } from "@/app/_ui/notice";
import { Time } from "@/app/_ui/time";
import { findUser, type UserDetail } from "@/lib/admin/users";
import { listAllEvents } from "@/lib/audit";
import { type AdminAction, can } from "@/lib/auth/roles";
import { type Device, listSessions } from "@/lib/auth/sessions/list";
import { database } from "@/lib/db/client";
import { deviceLabel } from "@/lib/device";
import { id as uuid } from "@/lib/fields";
import { draft, requireAdmin } from "@/lib/web/sudo";
import { AdminBadge, SuspendedBadge } from "../../badges";
import { Entry } from "../../entry";
import { address } from "../../query";
import {
  changeRole,
  logOutUser,
  logOutUserDevice,
  reinstateUser,
  sendUserResetLink,
  suspendUser,
} from "./actions";

export const metadata: Metadata = { title: "User" };

const notices = {
  "role-changed": "The role is changed, and counts from their next click.",
  suspended: "The account is suspended. Everything that was logged in is logged out.",
  reinstated: "The account is open again. They log in afresh.",
  "device-logged-out": "That device is logged out.",
  "logged-out": "Every device of theirs is logged out.",
  "reset-sent": "A link to choose a new password is on its way to them.",
  confirmed:
    "You have confirmed that it is you. Nothing has been done yet: press the button again.",
  unchanged: "It was so already: somebody else may have been quicker. Nothing was changed.",
  gone: "That device was not logged in any more. Nothing was changed.",
  "last-admin": "Nobody could administer afterwards. Make somebody else an admin first.",
  "not-allowed": "You may not do this. Nothing was changed.",
};

const recent = 10;

export default async function UserPage({ params, searchParams }: PageProps<"/admin/users/[id]">) {
  const { id } = await params;
  const { notice } = await searchParams;
  const session = await requireAdmin(address(`/admin/users/${encodeURIComponent(id)}`, {}));
  const user = uuid.safeParse(id).success ? await findUser(database(), id) : null;
  if (!user) notFound();
  const [devices, events] = await Promise.all([
    listSessions(database(), { userId: user.id }),
    listAllEvents(database(), { userId: user.id, limit: recent }),
  ]);
  const may = (action: AdminAction) => can(session.user, action, user);

  return (
    <>
      <Who user={user} />
      <Notice notice={notice} sentences={notices} />
      {may("change-role") ? (
        <RoleSection user={user} />
      ) : (
        <p className="card p-5 text-sm">
          This is you. You cannot change your own role, suspend yourself or log yourself out here.
          Your own devices are in{" "}
          <Link href="/settings/devices" className="link">
            Settings
          </Link>
          .
        </p>
      )}
      {may("suspend") && <StatusSection user={user} />}
      {may("send-reset") && user.status === "active" && <PasswordSection user={user} />}
      <DevicesSection user={user} devices={devices} mayEnd={may("log-out")} />
      <section className="grid gap-3">
        <h2 className="font-medium">Recent activity</h2>
        {events.length === 0 ? (
          <p className="text-sm text-muted">Nothing in the last year.</p>
        ) : (
          <ol className="card divide-y divide-line">
            {events.map((entry) => (
              <Entry key={entry.id} entry={entry} about={user.id} />
            ))}
          </ol>
        )}
        <Link
          href={address("/admin/audit", { user: user.id })}
          className="link justify-self-start text-sm"
        >
          All of it
        </Link>
      </section>
    </>
  );
}

function Who({ user }: { user: UserDetail }) {
  return (
    <div>
      <Link href="/admin/users" className="link text-sm">
        Users
      </Link>
      <div className="mt-2 flex flex-wrap items-center gap-x-3 gap-y-1">
        <h1 className="text-2xl font-semibold tracking-tight wrap-anywhere">{user.name}</h1>
        {user.role === "admin" && <AdminBadge />}
        {user.status === "suspended" && <SuspendedBadge />}
      </div>
      <p className="mt-1 wrap-anywhere text-muted">{user.email}</p>
      <p className="mt-1 text-sm text-muted">
        Joined <Time at={user.createdAt} />, last seen{" "}
        {user.lastSeenAt ? <Time at={user.lastSeenAt} /> : "never"}.
      </p>
    </div>
  );
}

async function RoleSection({ user }: { user: UserDetail }) {
  return (
    <section className="card p-5 sm:p-6">
      <h2 className="font-medium">Role</h2>
      <p className="mt-1 mb-4 text-sm text-muted">
        An admin sees and does everything on these pages. It counts from their next click.
      </p>
      <Form
        action={changeRole}
        draft={await draftFor(user, "change-role")}
        className="grid max-w-md gap-4"
      >
        <input type="hidden" name="user" value={user.id} />
        <Select
          name="role"
          label="Role"
          options={{ user: "User", admin: "Admin" }}
          defaultValue={user.role}
        />
        <Submit className="button justify-self-start">Change role</Submit>
      </Form>
    </section>
  );
}

async function StatusSection({ user }: { user: UserDetail }) {
  if (user.status === "suspended")
    return (
      <section className="card p-5 sm:p-6">
        <h2 className="font-medium">Suspended</h2>
        <p className="mt-1 mb-4 text-sm wrap-anywhere">
          {user.suspensionReason ? `“${user.suspensionReason}”` : "Nobody has said why."}
        </p>
        <Form action={reinstateUser} className="grid gap-4">
          <input type="hidden" name="user" value={user.id} />
          <Submit className="button justify-self-start">Reinstate</Submit>
        </Form>
      </section>
    );
  return (
    <section className="rounded-lg border border-danger-line bg-surface p-5 sm:p-6">
      <h2 className="font-medium">Suspend</h2>
      <p className="mt-1 mb-4 text-sm text-muted">
        Logs them out of everything, revokes their API keys and links, and lets nobody log in until
        they are reinstated. They get a mail; the reason stays here.
      </p>
      <Form
        action={suspendUser}
        draft={await draftFor(user, "suspend")}
        className="grid max-w-md gap-4"
      >
        <input type="hidden" name="user" value={user.id} />
        <Field name="reason" label="Reason" maxLength={300} autoComplete="off" />
        <Submit className="button-danger justify-self-start">Suspend</Submit>
      </Form>
    </section>
  );
}

function PasswordSection({ user }: { user: UserDetail }) {
  return (
    <section className="card p-5 sm:p-6">
      <h2 className="font-medium">Password</h2>
      <p className="mt-1 mb-4 text-sm wrap-anywhere text-muted">
        A link to choose a new one goes to {user.email}. You never see it.
      </p>
      <Form action={sendUserResetLink} className="grid gap-4">
        <input type="hidden" name="user" value={user.id} />
        <Submit className="button justify-self-start">Send reset link</Submit>
      </Form>
    </section>
  );
}

function DevicesSection({
  user,
  devices,
  mayEnd,
}: {
  user: UserDetail;
  devices: Device[];
  mayEnd: boolean;
}) {
  return (
    <section className="grid gap-3">
      <h2 className="font-medium">Devices</h2>
      {devices.length === 0 ? (
        <p className="text-sm text-muted">Not logged in anywhere.</p>
      ) : (
        <ul className="card divide-y divide-line">
          {devices.map((device) => (
            <DeviceRow key={device.id} device={device}>
              {mayEnd && (
                <Form action={logOutUserDevice}>
                  <input type="hidden" name="user" value={user.id} />
                  <input type="hidden" name="id" value={device.id} />
                  <Submit className="button -my-1 min-h-9 px-3">
                    Log out
                    <span className="sr-only"> {deviceLabel(device)}</span>
                  </Submit>
                </Form>
              )}
            </DeviceRow>
          ))}
        </ul>
      )}
      {mayEnd && devices.length > 0 && (
        <Form action={logOutUser}>
          <input type="hidden" name="user" value={user.id} />
          <Submit className="button-danger">Log out everywhere</Submit>
        </Form>
      )}
    </section>
  );
}

/** What was typed about this user, and about no other. */
async function draftFor(user: UserDetail, form: string) {
  const kept = await draft(form);
  return kept?.values.user === user.id ? kept : undefined;
}
