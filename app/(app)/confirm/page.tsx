import type { Metadata, Route } from "next";
import Link from "next/link";
import { redirect } from "next/navigation";
import { Field } from "@/app/_ui/field";
import { Form, Submit } from "@/app/_ui/form";
import { PageHeader } from "@/app/_ui/page";
import { Passkey } from "@/app/_ui/passkey";
import { CurrentPassword } from "@/app/_ui/password";
import { hasStrongWay } from "@/lib/auth/credentials/last-way-in";
import { listPasskeys } from "@/lib/auth/credentials/passkeys";
import { hasPassword } from "@/lib/auth/credentials/passwords";
import { isTwoFactorOn } from "@/lib/auth/credentials/two-factor";
import { confirmingWithPasskey } from "@/lib/auth/login/confirm";
import { database } from "@/lib/db/client";
import { safeNext } from "@/lib/http";
import { passkeyChallenge, passkeySite } from "@/lib/web/passkeys";
import { requireSession } from "@/lib/web/session";
import { confirm, confirmByPasskey } from "./actions";

export const metadata: Metadata = { title: "Confirm that it is you" };

export default async function ConfirmPage({ searchParams }: PageProps<"/confirm">) {
  const { next } = await searchParams;
  const target = safeNext(next);
  const session = await requireSession(`/confirm?next=${encodeURIComponent(target)}`);
  const { sudo, strong, user } = session;
  const [mayBeStrong, withPassword, passkeys, twoFactor] = await Promise.all([
    hasStrongWay(database(), user.id, passkeySite()),
    hasPassword(database(), user.id),
    listPasskeys(database(), session),
    isTwoFactorOn(database(), user.id),
  ]);
  if (sudo === "full" && (strong || !mayBeStrong)) redirect(target as Route); // safeNext: a path of this site

  // Confirmed a moment ago by a password, and sent here again: what comes next wants more than that.
  const wantsMore = sudo === "full" && !twoFactor;
  const offersPassword = withPassword && !wantsMore;

  return (
    <div className="card mx-auto grid w-full max-w-sm gap-5 p-6 sm:mt-8">
      <PageHeader small title="Confirm that it is you">
        Prove again that you are {user.email}, then continue where you were. This protects your
        account if you leave this browser unattended.
        {wantsMore && " Your password is not enough for that."}
      </PageHeader>
      {passkeys.length > 0 && (
        <Form action={confirmByPasskey} className="grid gap-4">
          <input type="hidden" name="next" value={target} />
          <Passkey
            {...passkeyChallenge(confirmingWithPasskey(session))}
            className={`${offersPassword ? "button" : "button-primary"} w-full`}
          >
            Confirm with a passkey
          </Passkey>
        </Form>
      )}
      {offersPassword ? (
        <PasswordForm target={target} twoFactor={twoFactor} />
      ) : (
        passkeys.length > 0 && (
          <p className="hidden text-sm text-muted [@media(scripting:none)]:block">
            Confirming with a passkey needs JavaScript.
          </p>
        )
      )}
      <div className="flex flex-wrap justify-between gap-x-4 gap-y-2 text-sm">
        <Link href="/forgot-password" className="link">
          {withPassword ? "Forgot your password?" : "Set a password by email"}
        </Link>
        <Link href="/dashboard" className="link">
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
      {twoFactor && (
        <Field
          name="code"
          label="Code"
          hint="From your authenticator app, or a recovery code"
          autoComplete="one-time-code"
          maxLength={100}
        />
      )}
      <Submit>Confirm</Submit>
    </Form>
  );
}
