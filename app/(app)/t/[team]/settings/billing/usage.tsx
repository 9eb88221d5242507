import { countOf } from "@/app/_ui/format";
import { Section } from "@/app/_ui/page";
import { plans } from "@/lib/billing/plans";
import type { Db } from "@/lib/db/client";
import { countProjects } from "@/lib/projects/projects";
import type { TeamScope } from "@/lib/teams/scope";
import { countMembersAndKeys } from "@/lib/teams/usage";

/** How many members, projects and keys the team has. */
export type Use = { members: number; projects: number; keys: number };

export async function useOf(db: Db, scope: TeamScope): Promise<Use> {
  return { ...(await countMembersAndKeys(db, scope)), projects: await countProjects(db, scope) };
}

/** Returns a phrase for each limit that the team exceeds. */
export function overLimit({ limits, plan }: TeamScope, use: Use): string[] {
  const over = [
    use.members > limits.members &&
      `${countOf(use.members, "member")}, ${plans[plan].name} has ${limits.members}`,
    limits.projects !== null &&
      use.projects > limits.projects &&
      `${countOf(use.projects, "project")}, ${plans[plan].name} has ${limits.projects}`,
    use.keys > limits.keys &&
      `${countOf(use.keys, "API key")}, ${plans[plan].name} has ${limits.keys}`,
  ].filter((text) => text !== false);
  return over.map((text) => `${text}. Nothing is lost; nothing can be added.`);
}

export function Usage({ scope, use }: { scope: TeamScope; use: Use }) {
  const { limits } = scope;
  return (
    <Section title="Used" description="Members, projects and API keys, and the plan's limits.">
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
    <div className="grid content-start gap-1.5">
      <dt className="text-muted">{label}</dt>
      <dd className="grid gap-1.5">
        {most === null ? `${used}, no limit` : `${used} of ${most}`}
        {most !== null && <Bar share={used / most} />}
      </dd>
    </div>
  );
}

/** Hidden from screen readers: the numbers beside it have the same meaning. */
function Bar({ share }: { share: number }) {
  return (
    <svg
      aria-hidden
      viewBox="0 0 100 1"
      preserveAspectRatio="none"
      className="h-1.5 w-full rounded-full bg-line"
    >
      <rect
        width={100 * Math.min(share, 1)}
        height="1"
        className={share > 1 ? "fill-danger" : "fill-accent"}
      />
    </svg>
  );
}
