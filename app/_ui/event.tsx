import type { ReactNode } from "react";
import { userAgentLabel } from "@/lib/user-agent";
import { Time } from "./time";

/** One event in a list: what happened, when, and from where, as far as the reader may see it. */
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
  /**
   * How often it happened within the hour, if one row stands for several events. The other values
   * are those of the latest.
   */
  count?: number | null;
  at: Date;
  userAgent: string | null;
  ip: string | null;
  /** An administrator did it. Their IP address and user agent are then not passed. */
  byAdmin?: boolean;
  /** More lines, such as the account or the reason. */
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
