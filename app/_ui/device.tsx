import { Laptop, Smartphone } from "lucide-react";
import type { ReactNode } from "react";
import { deviceLabel, isHandheld } from "@/lib/device";
import { Time } from "./time";

type Device = {
  kind: "web" | "app";
  amr: string[];
  persistent: boolean;
  createdAt: Date;
  authenticatedAt: Date;
  lastSeenAt: Date;
  ip: string | null;
  userAgent: string | null;
  /** What an app calls its device. */
  deviceName: string | null;
};

const methods: Record<string, string> = {
  pwd: "Password",
  otp: "One-time code",
  passkey: "Passkey",
};

/** One session in a list of them, with the form that ends it. */
export function DeviceRow({
  device,
  current = false,
  confirmed,
  children,
}: {
  device: Device;
  /** The reader is looking with it right now. */
  current?: boolean;
  /** What the last proof is still good for, where that is known. */
  confirmed?: string;
  children?: ReactNode;
}) {
  const Icon = device.kind === "app" || isHandheld(device.userAgent) ? Smartphone : Laptop;
  return (
    <li className="grid grid-cols-[auto_1fr_auto] items-start gap-x-3 gap-y-1 p-4 sm:gap-x-4 sm:p-5">
      <Icon aria-hidden className="mt-0.5 size-5 text-muted" />
      <h2 className="flex min-w-0 flex-wrap items-center gap-x-2.5 gap-y-1 font-medium">
        {deviceLabel(device)}
        {current && (
          <span className="rounded-full bg-accent-soft px-2.5 py-0.5 text-xs text-accent">
            This device
          </span>
        )}
      </h2>
      {children}
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
          {confirmed && `, ${confirmed}`}
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
