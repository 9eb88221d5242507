import type { Metadata, Route } from "next";
import { redirect } from "next/navigation";
import { Field } from "@/app/_ui/field";
import { Form, Submit } from "@/app/_ui/form";
import { Link } from "@/app/_ui/link";
import { Notice } from "@/app/_ui/notice";
import { PageHeader } from "@/app/_ui/page";
import { Passkey } from "@/app/_ui/passkey";
import { CurrentPassword } from "@/app/_ui/password";
import { ProviderButton } from "@/app/_ui/provider-button";
import { providerNotices } from "@/app/_ui/provider-notices";
import { listIdentities } from "@/lib/auth/credentials/identities";
import { hasStrongWay } from "@/lib/auth/credentials/last-way-in";
import { listPasskeys } from "@/lib/auth/credentials/passkeys";
import { hasPassword } from "@/lib/auth/credentials/passwords";
import { isTwoFactorOn } from "@/lib/auth/credentials/two-factor";
import { confirmingWithPasskey, findConfirmWay } from "@/lib/auth/login/confirm";
import { database } from "@/lib/db/client";
import { safeNext } from "@/lib/http";
import { passkeyChallenge } from "@/lib/web/passkeys";
import { providers } from "@/lib/web/providers";
import { requireSession } from "@/lib/web/session";
import { waysHere } from "@/lib/web/ways-here";
import { confirm, confirmByCode, confirmByPasskey } from "./actions";

export const metadata: Metadata = { title: "Confirm that it is you" };

export default async function ConfirmPage({ searchParams }: PageProps<"/confirm">) {
  const { next, notice, strong: asked } = await searchParams;
  const target = safeNext(next);
  const session = await requireSession(`/confirm?next=${encodeURIComponent(target)}`);
  const { sudo, strong, user } = session;
  const [mayBeStrong, withPassword, passkeys, twoFactor, way] = await Promise.all([
    hasStrongWay(database(), user.id, waysHere()),
    hasPassword(database(), user.id),
    listPasskeys(database(), session),
    isTwoFactorOn(database(), user.id),
    findConfirmWay(database(), user.id, waysHere()),
  ]);
  const isEnough = strong || !mayBeStrong || asked === undefined;
  if (sudo === "full" && isEnough) redirect(target as Route); // safeNext: a path of this site

  // Confirmed a moment ago with a password or a provider, and sent here again: the next step
  // needs stronger proof.
  const wantsMore = sudo === "full" && !twoFactor;
  const offered = wantsMore ? "passkey" : way;

  return (
    <div className="card mx-auto grid w-full max-w-sm gap-5 p-6 sm:mt-8">
      <PageHeader small title="Confirm that it is you">
        Prove again that you are {user.email}, then continue where you were. This protects your
        account if you leave this browser unattended.
        {wantsMore && ` Your ${withPassword ? "password" : "login"} is not enough for that.`}
      </PageHeader>
      <Notice notice={notice} sentences={providerNotices(providers())} />
      {passkeys.length > 0 && (
        <Form action={confirmByPasskey} className="grid gap-4">
          <input type="hidden" name="next" value={target} />
          <Passkey
            {...passkeyChallenge(confirmingWithPasskey(session))}
            className={`${offered === "passkey" ? "button-primary" : "button"} w-full`}
          >
            Confirm with a passkey
          </Passkey>
        </Form>
      )}
      {offered === "password" && <PasswordForm target={target} twoFactor={twoFactor} />}
      {offered === "code" && <CodeForm target={target} />}
      {offered === "provider" && <ProviderForms userId={user.id} target={target} />}
      {offered === "passkey" && (
        <p className="hidden text-sm text-muted [@media(scripting:none)]:block">
          Confirming with a passkey needs JavaScript.
        </p>
      )}
      <div className="flex flex-wrap justify-between gap-x-4 gap-y-2 text-sm">
        <Link href="/forgot-password" className="link">
          {withPassword ? "Forgot your password?" : "Set a password by email"}
        </Link>
        <Link href={target.startsWith("/t/") ? "/teams" : "/dashboard"} className="link">
          Not now
        </Link>
      </div>
    </div>
  );
}

function PasswordForm({ target, twoFactor }: { target: string; twoFactor: boolean }) {
  return (
    <Form action={confirm} className="grid gap-4">
      <input type="hidden" name="next" value={target} />
      <CurrentPassword label="Password" />
      {twoFactor && <CodeField />}
      <Submit>Confirm</Submit>
    </Form>
  );
}

function CodeForm({ target }: { target: string }) {
  return (
    <Form action={confirmByCode} className="grid gap-4">
      <input type="hidden" name="next" value={target} />
      <CodeField />
      <Submit>Confirm</Submit>
    </Form>
  );
}

function CodeField() {
  return (
    <Field
      name="code"
      label="Code"
      hint="From your authenticator app, or a recovery code"
      autoComplete="one-time-code"
      maxLength={100}
    />
  );
}

async function ProviderForms({ userId, target }: { userId: string; target: string }) {
  const connected = await listIdentities(database(), userId);
  const usable = providers().filter(({ issuer }) =>
    connected.some((identity) => identity.issuer === issuer),
  );
  return usable.map(({ id, name }) => (
    <form key={id} method="post" className="grid">
      <input type="hidden" name="purpose" value="confirm" />
      <input type="hidden" name="next" value={target} />
      <ProviderButton provider={id} name={name} label="Confirm with" />
    </form>
  ));
}
