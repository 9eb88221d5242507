"use client";

import type { Route } from "next";
import { Icon } from "./icon";
import { Link } from "./link";

/**
 * The name of the open team, which opens the links to the other teams. A `details` element, so that
 * it works without JavaScript. With JavaScript, Escape and a click elsewhere close it.
 */
export function TeamSwitcher({
  current,
  teams,
}: {
  current: { handle: string; name: string };
  teams: { handle: string; name: string }[];
}) {
  return (
    <details
      className="relative"
      onBlur={({ currentTarget, relatedTarget }) => {
        if (!currentTarget.contains(relatedTarget)) currentTarget.open = false;
      }}
      onKeyDown={({ key, currentTarget }) => {
        if (key !== "Escape" || !currentTarget.open) return;
        currentTarget.open = false;
        currentTarget.querySelector("summary")?.focus();
      }}
    >
      <summary className="button max-w-64 list-none px-3 [&::-webkit-details-marker]:hidden">
        <span className="sr-only">Team: </span>
        <span className="truncate">{current.name}</span>
        <Icon name="chevrons-up-down" className="size-4 shrink-0 text-muted" />
      </summary>
      <div className="absolute z-10 mt-1 grid w-64 max-w-[calc(100vw-2rem)] gap-1 rounded-lg border border-line bg-surface p-1.5 text-sm shadow-lg">
        <ul className="grid max-h-72 overflow-y-auto">
          {teams.map(({ handle, name }) => (
            <li key={handle}>
              <Link
                href={`/t/${handle}` as Route}
                aria-current={handle === current.handle ? "true" : undefined}
                className="flex items-center justify-between gap-2 rounded-md px-3 py-2 hover:bg-sunken aria-[current]:font-medium"
              >
                <span className="wrap-anywhere">{name}</span>
                {handle === current.handle && (
                  <Icon name="check" className="size-4 shrink-0 text-accent" />
                )}
              </Link>
            </li>
          ))}
        </ul>
        <Link
          href="/teams"
          className="rounded-md border-t border-line px-3 py-2 text-muted hover:bg-sunken hover:text-ink"
        >
          All teams and invitations
        </Link>
      </div>
    </details>
  );
}
