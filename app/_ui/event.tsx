import type { ReactNode } from "react";
import { userAgentLabel } from "@/lib/user-agent";
import { Time } from "./time";

/** One event in a list: what happened, when, and from where, as far as the reader may know. */
export function EventRow({
  what,
  count = null,
  at,
  userAgent,
  ip,
  byAdmin = false,
  children,
}: {
  what: string;
  /** How often within the hour, where one row counts several; its other values are of the latest. */
  count?: number | null;
  at: Date;
  userAgent: string | null;
  ip: string | null;
  /** An administrator did it: then their IP address and user agent are not passed. */
  byAdmin?: boolean;
  /** Further lines: the account, the reason. */
  children?: ReactNode;
}) {
  return (
    <li className="flex flex-wrap justify-between gap-x-6 gap-y-1 px-4 py-3 text-sm sm:px-5">
      <div className="min-w-0">
        <p className="font-medium">
          {what}
          {count !== null && count > 1 && ` (${count} times)`}
        </p>
        {children}
        {(byAdmin || userAgent || ip) && (
          <p className="break-words text-muted">
            {byAdmin ? "By an administrator" : userAgentLabel(userAgent)}
            {ip && `, ${ip}`}
          </p>
        )}
      </div>
      <p className="text-muted">
        <Time at={at} />
      </p>
    </li>
  );
}
