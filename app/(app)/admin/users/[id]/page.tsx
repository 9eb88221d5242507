import type { Metadata } from "next";
import { notFound } from "next/navigation";
import { DeviceRow } from "@/app/_ui/device";
import { Form, Submit } from "@/app/_ui/form";
import { Link } from "@/app/_ui/link";
import { Notice } from "@/app/_ui/notice";
import { Badge } from "@/app/_ui/page";
import { Time } from "@/app/_ui/time";
import { findUser, type UserDetail } from "@/lib/admin/users";
import { listAllEvents } from "@/lib/audit";
import { type Identity, listIdentities } from "@/lib/auth/credentials/identities";
import { listPasskeys } from "@/lib/auth/credentials/passkeys";
import { hasPassword } from "@/lib/auth/credentials/passwords";
import { findTwoFactor } from "@/lib/auth/credentials/two-factor";
import { type AdminAction, can } from "@/lib/auth/roles";
import { type Device, listSessions } from "@/lib/auth/sessions/list";
import { database } from "@/lib/db/client";
import { id as uuid } from "@/lib/fields";
import { deviceLabel } from "@/lib/user-agent";
import { requireAdmin } from "@/lib/web/sudo";
import { urlFor } from "../../../search-params";
import { AuditRow } from "../../audit-row";
import {
  PasskeysSection,
  PasswordSection,
  RoleSection,
  StatusSection,
  TwoFactorSection,
} from "./account-sections";
import { logOutUser, logOutUserDevice } from "./actions";

export const metadata: Metadata = { title: "User" };

const notices = {
  "role-changed": "The role was changed. It applies from their next request.",
  suspended: "The account is suspended, and logged out on every device.",
  reinstated: "The account is reinstated. The user can log in again.",
  "device-logged-out": "That device is logged out.",
  "logged-out": "All of this user's devices are logged out.",
  "two-factor-off": "Two-factor is off. The user is logged out everywhere and told by email.",
  "passkeys-removed":
    "All passkeys are removed. The user is logged out everywhere and told by email.",
  "reset-sent": "A link to choose a new password is on its way to the user.",
  confirmed: {
    info: "You have confirmed that it is you. Nothing has been done yet: press the button again.",
  },
  unchanged: {
    info: "This was already done, perhaps by another administrator. Nothing was changed.",
  },
  gone: { info: "That device was already logged out. Nothing was changed." },
  "last-admin": {
    info: "This is the only active administrator. Make another user an admin first.",
  },
  "not-allowed": { info: "You are not allowed to do this. Nothing was changed." },
};

const recent = 10;

export default async function UserPage({ params, searchParams }: PageProps<"/admin/users/[id]">) {
  const { id } = await params;
  const { notice } = await searchParams;
  const session = await requireAdmin(urlFor(`/admin/users/${encodeURIComponent(id)}`, {}));
  const user = uuid.safeParse(id).success ? await findUser(database(), id) : null;
  if (!user) notFound();
  const [password, passkeys, twoFactor, accounts, devices, events] = await Promise.all([
    hasPassword(database(), user.id),
    listPasskeys(database(), { userId: user.id }),
    findTwoFactor(database(), user.id),
    listIdentities(database(), user.id),
    listSessions(database(), { userId: user.id }),
    listAllEvents(database(), { userId: user.id, limit: recent }),
  ]);
  const may = (action: AdminAction) => can(session.user, action, user);

  return (
    <>
      <UserHeading user={user} />
      <Notice notice={notice} sentences={notices} />
      {may("change-role") ? (
        <RoleSection user={user} />
      ) : (
        <p className="card p-5 text-sm">
          This is your own account. You cannot change your own role, suspend yourself or log
          yourself out here. Manage your devices in{" "}
          <Link href="/settings/devices" className="link">
            Settings
          </Link>
          .
        </p>
      )}
      {may("suspend") && <StatusSection user={user} />}
      {may("send-reset") && user.status === "active" && (
        <PasswordSection user={user} password={password} />
      )}
      {passkeys.length > 0 && may("remove-passkeys") && (
        <PasskeysSection user={user} count={passkeys.length} />
      )}
      {twoFactor && may("turn-off-two-factor") && <TwoFactorSection user={user} {...twoFactor} />}
      {accounts.length > 0 && <AccountsSection accounts={accounts} />}
      <DevicesSection user={user} devices={devices} mayEnd={may("log-out")} />
      <section className="grid gap-3">
        <h2 className="font-medium">Recent activity</h2>
        {events.length === 0 ? (
          <p className="text-sm text-muted">No activity in the last year.</p>
        ) : (
          <ol className="card divide-y divide-line">
            {events.map((entry) => (
              <AuditRow key={entry.id} entry={entry} about={user.id} />
            ))}
          </ol>
        )}
        <Link
          href={urlFor("/admin/audit", { user: user.id })}
          className="link justify-self-start text-sm"
        >
          Show all activity
        </Link>
      </section>
    </>
  );
}

function UserHeading({ user }: { user: UserDetail }) {
  return (
    <div>
      <Link href="/admin/users" className="link text-sm">
        Users
      </Link>
      <div className="mt-2 flex flex-wrap items-center gap-x-3 gap-y-1">
        <h1 className="text-2xl font-semibold tracking-tight wrap-anywhere">{user.name}</h1>
        {user.role === "admin" && <Badge>Admin</Badge>}
        {user.status === "suspended" && <Badge tone="danger">Suspended</Badge>}
      </div>
      <p className="mt-1 wrap-anywhere text-muted">{user.email}</p>
      <p className="mt-1 text-sm text-muted">
        Joined <Time at={user.createdAt} />, last seen{" "}
        {user.lastSeenAt ? <Time at={user.lastSeenAt} /> : "never"}.
      </p>
    </div>
  );
}

function AccountsSection({ accounts }: { accounts: Identity[] }) {
  return (
    <section className="grid gap-3">
      <h2 className="font-medium">Connected accounts</h2>
      <ul className="card divide-y divide-line">
        {accounts.map(({ id, issuer, label, createdAt, lastUsedAt }) => (
          <li key={id} className="p-4 text-sm wrap-anywhere sm:px-5">
            {label} <span className="text-muted">at {issuer}</span>
            <p className="text-muted">
              Connected <Time at={createdAt} />, last used{" "}
              {lastUsedAt ? <Time at={lastUsedAt} /> : "never"}.
            </p>
          </li>
        ))}
      </ul>
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
