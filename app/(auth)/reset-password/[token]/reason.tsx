import { RadioGroup } from "@/app/_ui/radio-group";
import { listPasskeys } from "@/lib/auth/credentials/passkeys";
import { database } from "@/lib/db/client";

/** A forgotten password leaves the passkeys alone. Asked only where there are some. */
export async function Reason({ userId }: { userId: string }) {
  const passkeys = await listPasskeys(database(), { userId });
  if (passkeys.length === 0) return null;
  return (
    <RadioGroup
      name="reason"
      label="Why do you need a new password?"
      defaultValue="forgotten"
      options={{
        forgotten: { label: "I forgot it" },
        attacked: {
          label: "Somebody else may have got in",
          hint: "Also removes all passkeys of this account. You can add yours again afterwards.",
        },
      }}
    />
  );
}
