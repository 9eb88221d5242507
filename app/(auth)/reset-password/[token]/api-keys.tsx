import { Checkbox } from "@/app/_ui/field";
import { listApiKeys } from "@/lib/auth/tokens/api-keys";
import { database } from "@/lib/db/client";

/** Keys stay unless the user ticks the box: most resets are of a forgotten password. */
export async function ApiKeys({ userId }: { userId: string }) {
  const keys = (await listApiKeys(database(), { userId })).filter(({ expired }) => !expired);
  if (keys.length === 0) return null;
  return (
    <section className="grid gap-3 rounded-md border border-line p-4 text-sm">
      <div>
        <h2 className="font-medium">API keys of this account</h2>
        <p className="text-muted">They keep working with the new password.</p>
      </div>
      <ul className="grid gap-1">
        {keys.map(({ id, name, prefix }) => (
          <li key={id} className="wrap-anywhere">
            {name} <code className="font-mono text-muted">{prefix}…</code>
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
