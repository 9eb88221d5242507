import type { Metadata } from "next";
import { DeviceRow } from "@/app/_ui/device";
import { Form, Submit } from "@/app/_ui/form";
import { countOf } from "@/app/_ui/format";
import { Notice } from "@/app/_ui/notice";
import { PageHeader } from "@/app/_ui/page";
import { sudoPolicy } from "@/lib/auth/policy";
import { type Device, listSessions } from "@/lib/auth/sessions/list";
import type { Sudo } from "@/lib/auth/sessions/live";
import { database } from "@/lib/db/client";
import { minutes } from "@/lib/time";
import { deviceLabel } from "@/lib/user-agent";
import { requireSession } from "@/lib/web/session";
import { logOutDevice, logOutEverywhere, logOutOtherDevices } from "./actions";

export const metadata: Metadata = { title: "Devices" };

const notices = {
  "device-logged-out": "That device is logged out.",
  "device-gone": { info: "That device was already logged out." },
  "others-logged-out": "All other devices are logged out.",
  confirmed: {
    info: "You have confirmed that it is you. Nothing is logged out yet: press the button again.",
  },
};

export default async function DevicesPage({ searchParams }: PageProps<"/settings/devices">) {
  const session = await requireSession("/settings/devices");
  const devices = await listSessions(database(), session);
  const { notice } = await searchParams;
  const others = devices.length > 1;

  return (
    <>
      <PageHeader title="Devices">
        Where you are logged in. A device that you log out loses access at once.
      </PageHeader>
      <Notice notice={notice} sentences={notices} />
      <ul className="card divide-y divide-line">
        {devices.map((device) => (
          <DeviceRow
            key={device.id}
            device={device}
            current={device.id === session.id}
            confirmed={device.id === session.id ? validity(device, session.sudo) : undefined}
          >
            <Form action={logOutDevice}>
              <input type="hidden" name="id" value={device.id} />
              <Submit className="button -my-1 min-h-9 px-3">
                Log out
                <span className="sr-only"> {deviceLabel(device)}</span>
              </Submit>
            </Form>
          </DeviceRow>
        ))}
      </ul>
      {!others && <p className="text-sm text-muted">You are logged in on this device only.</p>}
      <div className="flex flex-wrap gap-3">
        {others && (
          <Form action={logOutOtherDevices}>
            <Submit className="button">Log out other devices</Submit>
          </Form>
        )}
        <button type="button" popoverTarget="everywhere" className="button-danger">
          Log out everywhere
        </button>
      </div>
      <LogOutEverywhere />
    </>
  );
}

/**
 * Returns how long this session may still do what needs a recent proof of identity. The database
 * decided that it may (`sudo`). The minutes are only for display.
 */
function validity({ authenticatedAt }: Device, sudo: Sudo): string {
  if (sudo === "expired") return "expired, you will be asked again";
  const window = sudo === "full" ? sudoPolicy.open : sudoPolicy.submit;
  const left = Math.ceil((authenticatedAt.getTime() + window - Date.now()) / minutes(1));
  // Clamped to the window: this server's clock may differ slightly from the database's.
  const count = Math.min(Math.max(left, 1), window / minutes(1));
  const forMinutes = `for ${countOf(count, "more minute")}`;
  return sudo === "full" ? `valid ${forMinutes}` : `forms on this page can be sent ${forMinutes}`;
}

/** A popover opens without JavaScript, so the confirmation step works there too. */
function LogOutEverywhere() {
  return (
    <div
      id="everywhere"
      popover="auto"
      role="dialog"
      aria-labelledby="everywhere-title"
      className="card w-[min(26rem,calc(100vw-2rem))] p-6 text-ink shadow-xl"
    >
      <h2 id="everywhere-title" className="text-lg font-semibold">
        Log out everywhere?
      </h2>
      <p className="mt-2 text-sm text-muted">
        Every device is logged out at once, including this one. You can log in again.
      </p>
      <div className="mt-5 flex flex-wrap justify-end gap-3">
        <button
          type="button"
          popoverTarget="everywhere"
          popoverTargetAction="hide"
          className="button"
        >
          Cancel
        </button>
        <Form action={logOutEverywhere}>
          <Submit className="button-danger">Yes, log out everywhere</Submit>
        </Form>
      </div>
    </div>
  );
}
