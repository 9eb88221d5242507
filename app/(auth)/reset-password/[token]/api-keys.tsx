import { Checkbox } from "@/app/_ui/form";
import { listApiKeys } from "@/lib/auth/tokens/api-keys";
import { database } from "@/lib/db/client";

/** They stay unless the user says otherwise: most resets are of a password that was forgotten. */
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
        hint="If someone else may have been in your account. Servers and scripts that use these keys stop working."
      />
    </section>
  );
}
