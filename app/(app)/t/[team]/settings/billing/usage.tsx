import { Section } from "@/app/_ui/page";
import type { Db } from "@/lib/db/client";
import { countProjects } from "@/lib/projects/projects";
import type { TeamScope } from "@/lib/teams/scope";
import { countMembersAndKeys } from "@/lib/teams/usage";

/** How many of each the team has. */
export type Use = { members: number; projects: number; keys: number };

export async function useOf(db: Db, scope: TeamScope): Promise<Use> {
  return { ...(await countMembersAndKeys(db, scope)), projects: await countProjects(db, scope) };
}

export function Usage({ scope, use }: { scope: TeamScope; use: Use }) {
  const { limits } = scope;
  return (
    <Section title="Used" description="Members, projects and API keys, and how many the plan has.">
      <dl className="grid gap-4 text-sm sm:grid-cols-3">
        <Line label="Members" used={use.members} most={limits.members} />
        <Line label="Projects" used={use.projects} most={limits.projects} />
        <Line label="API keys" used={use.keys} most={limits.keys} />
      </dl>
    </Section>
  );
}

function Line({ label, used, most }: { label: string; used: number; most: number | null }) {
  return (
    <div className="grid gap-1.5">
      <dt className="text-muted">{label}</dt>
      <dd className="grid content-start gap-1.5">
        {most === null ? `${used}, no limit` : `${used} of ${most}`}
        {most !== null && (
          <meter aria-hidden className="h-2 w-full" value={Math.min(used, most)} max={most} />
        )}
      </dd>
    </div>
  );
}
