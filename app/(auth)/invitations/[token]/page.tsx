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
import { passwordPolicy } from "@/lib/auth/policy";
import { database } from "@/lib/db/client";
import { plainName } from "@/lib/plain-name";
import { product } from "@/lib/product";
import { findInvitation } from "@/lib/teams/invitations";
import { roleInWords } from "@/lib/teams/roles";
import { passkeyChallenge, passkeySite } from "@/lib/web/passkeys";
import { redirectIfUnreachable } from "@/lib/web/request";
import { currentSession } from "@/lib/web/session";
import { acceptInvitation, createAccountAndJoin, createAccountAndJoinWithPasskey } from "./actions";

export const metadata: Metadata = { title: "Invitation", ...tokenPageMetadata };

/**
 * Shows the invitation and how this visitor can accept it. Only the holder of the link, who reads
 * the email's mailbox, sees that the email has an account.
 */
export default async function InvitationPage({
  params,
  searchParams,
}: PageProps<"/invitations/[token]">) {
  const { token } = await params;
  const withPasskey = (await searchParams).with === "passkey";
  const invitation = await findInvitation(database(), token).catch(redirectIfUnreachable);
  if (!invitation) {
    return (
      <InvalidLink
        why="This invitation does not work any more. Ask for a new one."
        next={{ href: "/teams", label: "Your teams and invitations" }}
      />
    );
  }
  const session = await currentSession();
  const { email, role, inviter, inviterEmail, hasAccount } = invitation;
  const team = plainName(invitation.team) || "the team";
  return (
    <>
      <PageHeader small title={`Join ${team}`}>
        {plainName(inviter)} ({inviterEmail}) invites {email} to {team} as {roleInWords(role)}.
      </PageHeader>
      {session?.user.email === email ? (
        <Form action={acceptInvitation} className="grid gap-4">
          <input type="hidden" name="token" value={token} />
          <Submit className="button-primary py-2 whitespace-normal wrap-anywhere">
            Join {team}
          </Submit>
        </Form>
      ) : session ? (
        <OtherUser invited={email} email={session.user.email} />
      ) : hasAccount ? (
        <LogIn token={token} />
      ) : withPasskey ? (
        <PasskeyForm token={token} email={email} />
      ) : (
        <AccountForm token={token} email={email} />
      )}
      {!session && !hasAccount && (
        <Link
          href={`/invitations/${token}${withPasskey ? "" : "?with=passkey"}` as Route}
          className="link justify-self-start text-sm [@media(scripting:none)]:hidden"
        >
          {withPasskey ? "Use a password instead" : "Use a passkey instead"}
        </Link>
      )}
    </>
  );
}

function OtherUser({ invited, email }: { invited: string; email: string }) {
  return (
    <>
      <p className="text-sm wrap-anywhere">
        This invitation is for {invited}. You are logged in as {email}.
      </p>
      <p className="text-sm text-muted">Log out, then open the link again.</p>
      <form method="post" action="/logout">
        <button type="submit" className="button-primary w-full">
          Log out
        </button>
      </form>
    </>
  );
}

function LogIn({ token }: { token: string }) {
  return (
    <>
      <p className="text-sm text-muted">You have an account with this email. Log in to join.</p>
      <a
        href={`/login?next=${encodeURIComponent(`/invitations/${token}`)}`}
        className="button-primary"
      >
        Log in
      </a>
    </>
  );
}

function AccountForm({ token, email }: { token: string; email: string }) {
  return (
    <Form action={createAccountAndJoin} className="grid gap-4">
      <input type="hidden" name="token" value={token} />
      <NameField />
      <UsernameHint email={email} />
      <NewPassword label="Password" minLength={passwordPolicy.minLength} />
      <Submit>Create account and join</Submit>
    </Form>
  );
}

// At the same position in both forms, so that React keeps the field and its text when one form
// replaces the other.
function NameField() {
  return <Field name="name" label="Name" autoComplete="name" maxLength={100} />;
}

function PasskeyForm({ token, email }: { token: string; email: string }) {
  const handle = handleOfSignUp(passkeySite().secret, token).toString("base64url");
  return (
    <Form action={createAccountAndJoinWithPasskey} className="grid gap-4">
      <input type="hidden" name="token" value={token} />
      <NameField />
      <p className="text-sm text-muted">
        A passkey logs you in with your fingerprint, your face or the PIN of your device. If you
        lose it, you can set a password by email.
      </p>
      <NewPasskey
        {...passkeyChallenge(signingUpWithPasskey(token))}
        {...{ site: product.name, handle, account: email, exclude: [], algorithms }}
        className="button-primary w-full py-2 whitespace-normal"
      >
        Create account and join with a passkey
      </NewPasskey>
    </Form>
  );
}
