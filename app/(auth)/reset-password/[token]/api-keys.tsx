import { Checkbox } from "@/app/_ui/field";
import { listApiKeys } from "@/lib/auth/tokens/api-keys";
import { database } from "@/lib/db/client";
import { listTeamKeysMadeBy } from "@/lib/teams/keys";

/** Keys stay valid unless the user ticks the box: most resets are of a forgotten password. */
export async function ApiKeys({ userId }: { userId: string }) {
  const [own, ofTeams] = await Promise.all([
    listApiKeys(database(), { userId }),
    listTeamKeysMadeBy(database(), { userId }),
  ]);
  const keys = [...own.map((key) => ({ ...key, team: undefined })), ...ofTeams].filter(
    ({ expired }) => !expired,
  );
  if (keys.length === 0) return null;
  return (
    <section className="grid gap-3 rounded-md border border-line p-4 text-sm">
      <div>
        <h2 className="font-medium">API keys that this account made</h2>
        <p className="text-muted">They keep working with the new password.</p>
      </div>
      <ul className="grid gap-1">
        {keys.map(({ id, name, prefix, team }) => (
          <li key={id} className="wrap-anywhere">
            {name} <code className="font-mono text-muted">{prefix}…</code>
            {team && ` of the team ${team}`}
          </li>
        ))}
      </ul>
      <Checkbox
        name="revoke"
        label="Revoke all"
        hint="Do this if an attacker may have had access to your account. Servers and scripts that use these keys stop working."
      />
    </section>
  );
}
