import type { Metadata } from "next";
import { DeviceRow } from "@/app/_ui/device";
import { Form, Submit } from "@/app/_ui/form";
import { Notice } from "@/app/_ui/notice";
import { listSessions } from "@/lib/auth/sessions/list";
import type { Sudo } from "@/lib/auth/sessions/live";
import { database } from "@/lib/db/client";
import { deviceLabel } from "@/lib/device";
import { requireSession } from "@/lib/web/session";
import { logOutDevice, logOutEverywhere, logOutOtherDevices } from "./actions";

export const metadata: Metadata = { title: "Devices" };

const notices = {
  "device-logged-out": "That device is logged out.",
  "device-gone": "That device was not logged in any more.",
  "others-logged-out": "All other devices are logged out.",
  confirmed:
    "You have confirmed that it is you. Nothing is logged out yet: press the button again.",
};

const stillGoodFor: Record<Sudo, string> = {
  full: "not asked again for now",
  "submit-only": "not asked again for now",
  expired: "asked again before the next delicate step",
};

export default async function DevicesPage({ searchParams }: PageProps<"/settings/devices">) {
  const session = await requireSession("/settings/devices");
  const devices = await listSessions(database(), session);
  const { notice } = await searchParams;
  const others = devices.length > 1;

  return (
    <>
      <div>
        <h1 className="text-2xl font-semibold tracking-tight">Devices</h1>
        <p className="mt-1 text-muted">
          Where you are logged in. A device you log out is out with its next click.
        </p>
      </div>
      <Notice notice={notice} sentences={notices} />
      <ul className="card divide-y divide-line">
        {devices.map((device) => (
          <DeviceRow
            key={device.id}
            device={device}
            current={device.id === session.id}
            confirmed={device.id === session.id ? stillGoodFor[session.sudo] : undefined}
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

/** A popover opens without JavaScript, so the question is asked there too. */
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
        Every device is logged out at once, this one too. You log in again with your password.
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
