import type { Metadata } from "next";
import { Field } from "@/app/_ui/field";
import { Form, Submit } from "@/app/_ui/form";
import { Link } from "@/app/_ui/link";
import { NewPasskey, SignalPasskeys } from "@/app/_ui/new-passkey";
import { Notice } from "@/app/_ui/notice";
import { Badge, EmptyState, PageHeader, Section } from "@/app/_ui/page";
import { Time } from "@/app/_ui/time";
import { addingPasskey } from "@/lib/auth/account/passkey-change";
import { hasOtherWay, hasStrongWay } from "@/lib/auth/credentials/last-way-in";
import { findHandle, listPasskeys, type Passkey } from "@/lib/auth/credentials/passkeys";
import { algorithms } from "@/lib/auth/credentials/webauthn";
import type { Session } from "@/lib/auth/sessions/lookup";
import { database } from "@/lib/db/client";
import { product } from "@/lib/product";
import { passkeyChallenge, passkeySite } from "@/lib/web/passkeys";
import { requireSession } from "@/lib/web/session";
import { waysHere } from "@/lib/web/ways-here";
import { addPasskey, removePasskey, renamePasskey } from "./actions";

export const metadata: Metadata = { title: "Passkeys" };

const notices = {
  added: "The passkey was added. You can log in with it now.",
  renamed: "The passkey has a new name.",
  removed: "The passkey was removed. Devices that had logged in with it are logged out.",
  gone: { info: "That passkey was removed already." },
  "only-way": { info: "This is your only way to log in. Set a password first." },
  demanded: { info: "Administrators need a passkey or two-factor. Add another one first." },
  weak: { info: "Confirm with a passkey or a code first." },
  ended: { info: "You were logged out on this device." },
  confirmed: {
    info: "You have confirmed that it is you. Nothing has been done yet: press the button again.",
  },
};

export default async function PasskeysPage({ searchParams }: PageProps<"/settings/passkeys">) {
  const session = await requireSession("/settings/passkeys");
  const { notice } = await searchParams;
  const { rpId } = passkeySite();
  const isChanged = ["added", "renamed", "removed"].includes(`${notice}`);
  const [passkeys, handle] = [
    await listPasskeys(database(), session),
    await findHandle(database(), session.userId),
  ];
  const ids = passkeys.filter((each) => each.rpId === rpId).map((each) => each.credentialId);
  const [only] = passkeys;
  const isOnly =
    passkeys.length === 1 &&
    only !== undefined &&
    !(await hasOtherWay(database(), session.userId, only, waysHere()));
  const { email, name } = session.user;
  return (
    <>
      <PageHeader title="Passkeys">
        A passkey logs you in with your fingerprint, your face or the PIN of your device. It works
        only on this site, so a fake copy of the site cannot use it.
      </PageHeader>
      <Notice notice={notice} sentences={notices} />
      <SignalPasskeys
        {...{ rpId, handle, account: email, name, credentialIds: ids }}
        changedAt={isChanged ? Date.now() : 0}
      />
      {passkeys.length === 0 ? (
        <EmptyState>You have no passkeys.</EmptyState>
      ) : (
        <ul className="card divide-y divide-line">
          {passkeys.map((passkey) => (
            <PasskeyRow key={passkey.id} passkey={passkey} here={rpId} isOnly={isOnly} />
          ))}
        </ul>
      )}
      <Section title="Add a passkey">
        <Add session={session} handle={handle} exclude={ids} />
      </Section>
    </>
  );
}

/**
 * Asks for the proof before a passkey is created. A passkey that the account then rejects would
 * remain in its authenticator.
 */
async function Add({
  session,
  handle,
  exclude,
}: {
  session: Session;
  handle: string;
  exclude: string[];
}) {
  const enough = session.strong || !(await hasStrongWay(database(), session.userId, waysHere()));
  if (session.sudo !== "full" || !enough)
    return (
      <div className="grid justify-items-start gap-4">
        {!enough && (
          <p className="text-sm text-muted">
            This requires a passkey that you already have, or a code from your authenticator app. If
            you have lost a passkey, remove it.
          </p>
        )}
        <Link href="/confirm?next=%2Fsettings%2Fpasskeys&strong=1" className="button">
          Confirm that it is you first
        </Link>
      </div>
    );
  return (
    <>
      <p className="hidden text-sm text-muted [@media(scripting:none)]:block">
        Adding a passkey needs JavaScript.
      </p>
      <Form action={addPasskey} className="grid justify-items-start gap-4">
        <NewPasskey
          {...passkeyChallenge(addingPasskey(session))}
          {...{ site: product.name, handle, account: session.user.email, exclude, algorithms }}
        >
          Add a passkey
        </NewPasskey>
      </Form>
    </>
  );
}

function PasskeyRow({
  passkey,
  here,
  isOnly,
}: {
  passkey: Passkey;
  here: string;
  isOnly: boolean;
}) {
  const { id, name, provider, backedUp, rpId, createdAt, lastUsedAt } = passkey;
  return (
    <li className="grid gap-3 p-4 sm:p-5">
      <h2 className="flex flex-wrap items-center gap-x-2.5 gap-y-1 font-medium wrap-anywhere">
        {name}
        <Badge>{backedUp ? "Synced" : "On one device"}</Badge>
      </h2>
      <p className="text-sm text-muted">
        {provider && provider !== name && `${provider}. `}
        Added <Time at={createdAt} />
        {", "}
        {lastUsedAt ? (
          <>
            last used <Time at={lastUsedAt} />
          </>
        ) : (
          "not used yet"
        )}
        .
      </p>
      {rpId !== here && (
        <p className="text-sm">
          It belongs to {rpId}, another address of this site, and does not work here.
        </p>
      )}
      <div className="flex flex-wrap items-start gap-3">
        <details className="group">
          <summary className="button list-none">
            Rename<span className="sr-only"> {name}</span>
          </summary>
          <Form action={renamePasskey} className="mt-3 grid gap-3">
            <input type="hidden" name="id" value={id} />
            <Field
              name="name"
              label="New name"
              defaultValue={name}
              maxLength={100}
              autoComplete="off"
            />
            <Submit className="button justify-self-start">Save name</Submit>
          </Form>
        </details>
        {isOnly ? (
          <p className="text-sm text-muted">
            This is your only way to log in.{" "}
            <Link href="/settings/password" className="link">
              Set a password first
            </Link>
            .
          </p>
        ) : (
          <Form action={removePasskey}>
            <input type="hidden" name="id" value={id} />
            <Submit className="button-danger">
              Remove<span className="sr-only"> {name}</span>
            </Submit>
          </Form>
        )}
      </div>
    </li>
  );
}
