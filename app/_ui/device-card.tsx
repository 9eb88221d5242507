"use client";

import type { ReactNode } from "react";
import { Icon, type IconName } from "./icon";
import { Badge } from "./page";
import type { timeOf } from "./time";

/** One fact about a device: a name, and a time, a text or both. */
export type Fact = { name: string; time?: ReturnType<typeof timeOf>; text?: string };

/**
 * A row in a list of devices. A client component because a list has many elements: see footer.tsx.
 * The server supplies the texts: relative times computed in the browser would not match the HTML.
 */
export function DeviceCard({
  icon,
  label,
  current,
  facts,
  children,
}: {
  icon: IconName;
  label: string;
  current: boolean;
  facts: Fact[];
  children: ReactNode;
}) {
  return (
    <li className="grid grid-cols-[auto_1fr_auto] items-start gap-x-3 gap-y-1 p-4 sm:gap-x-4 sm:p-5">
      <Icon name={icon} className="mt-0.5 size-5 text-muted" />
      <h2 className="flex min-w-0 flex-wrap items-center gap-x-2.5 gap-y-1 font-medium">
        {label}
        {current && <Badge>This device</Badge>}
      </h2>
      {children}
      <dl className="col-start-2 col-end-4 grid grid-cols-[6rem_1fr] gap-x-2 gap-y-0.5 text-sm lg:grid-cols-[6rem_1fr_6rem_1fr] [&>dd]:wrap-anywhere [&>dt]:text-muted">
        {facts.map(({ name, time, text }) => [
          <dt key={name}>{name}</dt>,
          <dd key={`${name} is`}>
            {time && <time {...time} />}
            {text}
          </dd>,
        ])}
      </dl>
    </li>
  );
}
