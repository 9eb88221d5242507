import type { ReactNode } from "react";
import { deviceName } from "@/lib/device";
import { Time } from "./time";

/** One line of a trail: what happened, when, and from where, as far as the reader may know. */
export function EventRow({
  what,
  count = null,
  at,
  userAgent,
  ip,
  byOther = false,
  children,
}: {
  what: string;
  /** How often within the hour, where one line stands for several; the rest is of the latest. */
  count?: number | null;
  at: Date;
  userAgent: string | null;
  ip: string | null;
  /** Not the reader's own doing: then where it came from is not theirs to see. */
  byOther?: boolean;
  /** Whom it concerns, where that is not plain. */
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
        {(byOther || userAgent || ip) && (
          <p className="break-words text-muted">
            {byOther ? "By an administrator" : deviceName(userAgent)}
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
