import type { Metadata, Route } from "next";
import { Field } from "@/app/_ui/field";
import { Form, Submit } from "@/app/_ui/form";
import { InvalidLink } from "@/app/_ui/invalid-link";
import { Link } from "@/app/_ui/link";
import { NewPasskey } from "@/app/_ui/new-passkey";
import { PageHeader, UsernameHint } from "@/app/_ui/page";
import { NewPassword } from "@/app/_ui/password";
import { tokenPageMetadata } from "@/app/_ui/token-page-metadata";
import { signingUpWithPasskey } from "@/lib/auth/account/sign-up";
import { algorithms, handleOfSignUp } from "@/lib/auth/credentials/webauthn";
import { linkPolicy, passwordPolicy } from "@/lib/auth/policy";
import { findSignUp, type PendingSignUp } from "@/lib/auth/sign-up-links";
import { database } from "@/lib/db/client";
import { product } from "@/lib/product";
import { inWords } from "@/lib/time";
import { presentedVisit } from "@/lib/web/cookies";
import { passkeyChallenge, passkeySite } from "@/lib/web/passkeys";
import { findProvider } from "@/lib/web/providers";
import { redirectIfUnreachable } from "@/lib/web/request";
import { createAccount, createAccountWithPasskey } from "./actions";

export const metadata: Metadata = { title: "Create your account", ...tokenPageMetadata };

export default async function FinishSignUpPage({
  params,
  searchParams,
}: PageProps<"/signup/[token]">) {
  const { token } = await params;
  const withPasskey = (await searchParams).with === "passkey";
  const pending = await findSignUp(database(), token, await presentedVisit()).catch(
    redirectIfUnreachable,
  );
  if (!pending) {
    return (
      <InvalidLink
        why={`It was already used, is older than ${inWords(linkPolicy.signUp)}, or was replaced by a newer one. If you have created your account, log in. Otherwise, request a new link.`}
        next={{ href: "/signup", label: "Get a new link" }}
      />
    );
  }

  const { account } = pending;
  const provider = account && findProvider(account.provider);
  const other = account ? "Continue without a passkey" : "Use a password instead";
  return (
    <>
      <PageHeader small title="Create your account">
        For {pending.email}
        {account && `. ${provider?.name} account ${account.label} will be able to log in.`}
      </PageHeader>
      {withPasskey ? (
        <PasskeyForm token={token} email={pending.email} name={account?.name} />
      ) : (
        <AccountForm token={token} email={pending.email} account={account} />
      )}
      <Link
        href={`/signup/${token}${withPasskey ? "" : "?with=passkey"}` as Route}
        className="link justify-self-start text-sm [@media(scripting:none)]:hidden"
      >
        {withPasskey ? other : "Use a passkey instead"}
      </Link>
    </>
  );
}

/** Asks for a password, unless the user can log in with an account at a provider. */
function AccountForm({
  token,
  email,
  account,
}: {
  token: string;
  email: string;
  account: PendingSignUp["account"];
}) {
  return (
    <Form action={createAccount} className="grid gap-4">
      <input type="hidden" name="token" value={token} />
      <NameField name={account?.name} />
      <UsernameHint email={email} />
      {!account && <NewPassword label="Password" minLength={passwordPolicy.minLength} />}
      <Submit>Create account</Submit>
    </Form>
  );
}

// At the same position in both forms, so that React keeps the field and its text when one form
// replaces the other.
function NameField({ name }: { name: string | undefined }) {
  return <Field name="name" label="Name" autoComplete="name" maxLength={100} defaultValue={name} />;
}

function PasskeyForm({
  token,
  email,
  name,
}: {
  token: string;
  email: string;
  name: string | undefined;
}) {
  const handle = handleOfSignUp(passkeySite().secret, token).toString("base64url");
  return (
    <Form action={createAccountWithPasskey} className="grid gap-4">
      <input type="hidden" name="token" value={token} />
      <NameField name={name} />
      <p className="text-sm text-muted">
        A passkey logs you in with your fingerprint, your face or the PIN of your device. If you
        lose it, you can set a password by email.
      </p>
      <NewPasskey
        {...passkeyChallenge(signingUpWithPasskey(token))}
        {...{ site: product.name, handle, account: email, exclude: [], algorithms }}
        className="button-primary w-full"
      >
        Create account with a passkey
      </NewPasskey>
    </Form>
  );
}
