import { RadioGroup } from "@/app/_ui/radio-group";
import { listIdentities } from "@/lib/auth/credentials/identities";
import { listPasskeys } from "@/lib/auth/credentials/passkeys";
import { database } from "@/lib/db/client";
import { countInvitationsBy } from "@/lib/teams/invitations";

const inWords = new Intl.ListFormat("en");

/**
 * Asks for the reason of the reset. If the password was only forgotten, passkeys, connected
 * accounts and sent invitations stay. The question is shown only if the user has any of these.
 */
export async function Reason({ userId }: { userId: string }) {
  const [passkeys, connected, invitations] = await Promise.all([
    listPasskeys(database(), { userId }),
    listIdentities(database(), userId),
    countInvitationsBy(database(), { userId }),
  ]);
  if (passkeys.length === 0 && connected.length === 0 && invitations === 0) return null;
  const removed = [
    ...(passkeys.length > 0 ? ["removes all passkeys"] : []),
    ...(connected.length > 0 ? ["disconnects all connected accounts"] : []),
    ...(invitations > 0 ? ["revokes the invitations to teams that you sent"] : []),
  ];
  return (
    <RadioGroup
      name="reason"
      label="Why do you need a new password?"
      defaultValue="forgotten"
      options={{
        forgotten: { label: "I forgot it" },
        attacked: {
          label: "Somebody else may have got in",
          hint: `Also ${inWords.format(removed)}. You can add yours again afterwards.`,
        },
      }}
    />
  );
}
