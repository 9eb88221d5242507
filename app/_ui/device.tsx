import type { ReactNode } from "react";
import { plainName } from "@/lib/plain-name";
import { providerNames } from "@/lib/provider-ids";
import { deviceLabel, isHandheld } from "@/lib/user-agent";
import { DeviceCard, type Fact } from "./device-card";
import { timeOf } from "./time";

type Device = {
  kind: "web" | "app";
  amr: string[];
  /** The name of the passkey that started the session. */
  passkey: string | null;
  /** The provider's name for the account that started the session. */
  account: string | null;
  persistent: boolean;
  createdAt: Date;
  authenticatedAt: Date;
  lastSeenAt: Date;
  ip: string | null;
  userAgent: string | null;
  /** The name that the app gave the device. */
  deviceName: string | null;
};

const methods: Record<string, string> = {
  pwd: "password",
  otp: "code",
  recovery: "recovery code",
  passkey: "passkey",
  ...providerNames,
};

/** "Google (ada@example.com) and code": every factor proved so far in the session. */
function provedBy({ amr, passkey, account }: Device): string {
  const named = passkey && plainName(passkey);
  const ways = amr.map((way) =>
    way === "passkey" && named ? `passkey “${named}”` : (methods[way] ?? way),
  );
  if (account) ways[0] += ` (${account})`; // the method that started the session comes first
  const listed = new Intl.ListFormat("en-GB").format(ways);
  return listed.charAt(0).toUpperCase() + listed.slice(1);
}

/** One session in a list of them. `children` is the form that ends it. */
export function DeviceRow({
  device,
  current = false,
  confirmed,
  children,
}: {
  device: Device;
  /** Whether this is the reader's own session. */
  current?: boolean;
  /** How long the last proof of identity stays valid, if known. */
  confirmed?: string;
  children?: ReactNode;
}) {
  const handheld = device.kind === "app" || isHandheld(device.userAgent);
  const facts: Fact[] = [
    { name: "Last active", ...(current ? { text: "Now" } : { time: timeOf(device.lastSeenAt) }) },
    { name: "Signed in", time: timeOf(device.createdAt) },
    {
      ...{ name: "Confirmed", time: timeOf(device.authenticatedAt) },
      ...(confirmed && { text: ` · ${confirmed}` }),
    },
    { name: "IP address", text: device.ip ?? "Unknown" },
    { name: "Method", text: method(device) },
  ];
  return (
    <DeviceCard
      icon={handheld ? "smartphone" : "laptop"}
      label={deviceLabel(device)}
      current={current}
      facts={facts}
    >
      {children}
    </DeviceCard>
  );
}

function method(device: Device): string {
  const remembered = device.kind === "web" && device.persistent ? ", remembered" : "";
  return `${provedBy(device)}, ${device.kind}${remembered}`;
}
