import { Laptop, Smartphone } from "lucide-react";
import type { Metadata } from "next";
import { Form, Submit } from "@/app/_ui/form";
import { Notice } from "@/app/_ui/notice";
import { Time } from "@/app/_ui/time";
import { requireSession } from "@/lib/auth/current";
import { type Device, listSessions, type Sudo } from "@/lib/auth/sessions";
import { database } from "@/lib/db/client";
import { deviceName, isHandheld } from "@/lib/device";
import { logOutDevice, logOutEverywhere, logOutOtherDevices } from "./actions";

export const metadata: Metadata = { title: "Devices" };

const notices = {
  "device-logged-out": "That device is logged out.",
  "device-gone": "That device was not logged in any more.",
  "others-logged-out": "All other devices are logged out.",
  confirmed:
    "You have confirmed that it is you. Nothing is logged out yet: press the button again.",
};

const methods: Record<string, string> = {
  pwd: "Password",
  otp: "One-time code",
  passkey: "Passkey",
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
            sudo={device.id === session.id ? session.sudo : undefined}
          />
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

function DeviceRow({
  device,
  current,
  sudo,
}: {
  device: Device;
  current: boolean;
  /** Of this device alone. */
  sudo: Sudo | undefined;
}) {
  const name = device.deviceName ?? deviceName(device.userAgent);
  const Icon = device.kind === "app" || isHandheld(device.userAgent) ? Smartphone : Laptop;
  return (
    <li className="grid grid-cols-[auto_1fr_auto] items-start gap-x-3 gap-y-1 p-4 sm:gap-x-4 sm:p-5">
      <Icon aria-hidden className="mt-0.5 size-5 text-muted" />
      <h2 className="flex min-w-0 flex-wrap items-center gap-x-2.5 gap-y-1 font-medium">
        {name}
        {current && (
          <span className="rounded-full bg-accent-soft px-2.5 py-0.5 text-xs text-accent">
            This device
          </span>
        )}
      </h2>
      <Form action={logOutDevice}>
        <input type="hidden" name="id" value={device.id} />
        <Submit className="button -my-1 min-h-9 px-3">
          Log out<span className="sr-only"> {name}</span>
        </Submit>
      </Form>
      <dl className="col-start-2 col-end-4 grid grid-cols-[6rem_1fr] gap-x-2 gap-y-0.5 text-sm lg:grid-cols-[6rem_1fr_6rem_1fr] [&>dt]:text-muted">
        <dt>Last active</dt>
        <dd>{current ? "Now" : <Time at={device.lastSeenAt} />}</dd>
        <dt>Signed in</dt>
        <dd>
          <Time at={device.createdAt} />
        </dd>
        <dt>Confirmed</dt>
        <dd>
          <Time at={device.authenticatedAt} />
          {sudo &&
            (sudo === "none"
              ? ", asked again before the next delicate step"
              : ", not asked again for now")}
        </dd>
        <dt>Address</dt>
        <dd className="break-all">{device.ip ?? "Unknown"}</dd>
        <dt>How</dt>
        <dd>
          {device.amr.map((method) => methods[method] ?? method).join(", ")}
          {device.kind === "app" ? ", app" : ", web"}
          {device.kind === "web" && device.persistent && ", remembered"}
        </dd>
      </dl>
    </li>
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
