import type { ReactNode } from "react";
import { plainName } from "@/lib/plain-name";
import { providerNames } from "@/lib/provider-ids";
import { deviceLabel, isHandheld } from "@/lib/user-agent";
import { Icon } from "./icon";
import { Badge } from "./page";
import { Time } from "./time";

type Device = {
  kind: "web" | "app";
  amr: string[];
  /** The name of the passkey that it was begun with. */
  passkey: string | null;
  /** What the provider calls the account that began it. */
  account: string | null;
  persistent: boolean;
  createdAt: Date;
  authenticatedAt: Date;
  lastSeenAt: Date;
  ip: string | null;
  userAgent: string | null;
  /** The name that an app gave it. */
  deviceName: string | null;
};

const methods: Record<string, string> = {
  pwd: "password",
  otp: "code",
  recovery: "recovery code",
  passkey: "passkey",
  ...providerNames,
};

/** "Google (ada@example.com) and code": every factor that the session has proved so far. */
function provedBy({ amr, passkey, account }: Device): string {
  const named = passkey && plainName(passkey);
  const ways = amr.map((way) =>
    way === "passkey" && named ? `passkey “${named}”` : (methods[way] ?? way),
  );
  if (account) ways[0] += ` (${account})`; // what began it stands first
  const listed = new Intl.ListFormat("en-GB").format(ways);
  return listed.charAt(0).toUpperCase() + listed.slice(1);
}

/** One session in a list of them, with the form that ends it. */
export function DeviceRow({
  device,
  current = false,
  confirmed,
  children,
}: {
  device: Device;
  /** It is the session of the reader. */
  current?: boolean;
  /** How long the last proof of identity is valid, where that is known. */
  confirmed?: string;
  children?: ReactNode;
}) {
  const handheld = device.kind === "app" || isHandheld(device.userAgent);
  return (
    <li className="grid grid-cols-[auto_1fr_auto] items-start gap-x-3 gap-y-1 p-4 sm:gap-x-4 sm:p-5">
      <Icon name={handheld ? "smartphone" : "laptop"} className="mt-0.5 size-5 text-muted" />
      <h2 className="flex min-w-0 flex-wrap items-center gap-x-2.5 gap-y-1 font-medium">
        {deviceLabel(device)}
        {current && <Badge>This device</Badge>}
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
          {confirmed && ` · ${confirmed}`}
        </dd>
        <dt>IP address</dt>
        <dd className="break-all">{device.ip ?? "Unknown"}</dd>
        <dt>Method</dt>
        <dd className="wrap-anywhere">
          {provedBy(device)}
          {device.kind === "app" ? ", app" : ", web"}
          {device.kind === "web" && device.persistent && ", remembered"}
        </dd>
      </dl>
    </li>
  );
}
