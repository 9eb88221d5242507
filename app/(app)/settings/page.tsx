import type { Metadata, Route } from "next";
import type { ReactNode } from "react";
import { Link } from "@/app/_ui/link";
import { PageHeader } from "@/app/_ui/page";
import { readOverview } from "@/lib/auth/account/overview";
import { twoFactorPolicy } from "@/lib/auth/policy";
import { database } from "@/lib/db/client";
import { providerNames } from "@/lib/provider-ids";
import { requireSession } from "@/lib/web/session";

export const metadata: Metadata = { title: "Settings" };

export default async function SettingsPage() {
  const session = await requireSession("/settings");
  const has = await readOverview(database(), session);
  const codes = `${has.recoveryCodes} of ${twoFactorPolicy.recoveryCodes.count} recovery codes`;
  const providers = has.providers.map((id) => providerNames[id]).join(", ");
  return (
    <>
      <PageHeader title="Settings">Your account, and the ways to log in to it.</PageHeader>
      <ul className="card divide-y divide-line">
        <Row href="/settings/profile" title="Profile">
          {session.user.name}, {session.user.email}
        </Row>
        <Row href="/settings/password" title="Password">
          {has.hasPassword ? "Set" : "None"}
        </Row>
        <Row href="/settings/passkeys" title="Passkeys">
          {count(has.passkeys, "passkey")}
        </Row>
        <Row href="/settings/two-factor" title="Two-factor">
          {has.twoFactor ? `On, ${codes} left` : "Off"}
        </Row>
        <Row href="/settings/connected-accounts" title="Connected accounts">
          {providers || "None"}
        </Row>
        <Row href="/settings/devices" title="Devices">
          {count(has.devices, "device")} logged in
        </Row>
        <Row href="/settings/api-keys" title="API keys">
          Access for servers and scripts
        </Row>
        <Row href="/settings/activity" title="Activity">
          Logins and changes to your account
        </Row>
      </ul>
    </>
  );
}

function Row({ href, title, children }: { href: Route; title: string; children: ReactNode }) {
  return (
    <li className="relative grid gap-1 p-4 hover:bg-sunken sm:grid-cols-[11rem_1fr] sm:gap-4 sm:px-5">
      <Link href={href} className="font-medium after:absolute after:inset-0">
        {title}
      </Link>
      <p className="text-sm wrap-anywhere text-muted first-letter:uppercase">{children}</p>
    </li>
  );
}

function count(n: number, one: string): string {
  if (n === 0) return "None";
  return n === 1 ? `1 ${one}` : `${n} ${one}s`;
}
