import type { Metadata } from "next";
import Link from "next/link";
import { Field, Form, Submit } from "@/app/_ui/form";
import { passwordPolicy } from "@/lib/auth/policy";
import { findSignUp } from "@/lib/auth/sign-ups";
import { database } from "@/lib/db/client";
import { createAccount } from "./actions";

export const metadata: Metadata = {
  title: "Create your account",
  robots: { index: false },
  // The header's no-referrer would make browsers send the form with `Origin: null`, which is
  // refused. This sends the origin and still never the path, which holds the token.
  referrer: "strict-origin",
};

export default async function FinishSignUpPage({ params }: PageProps<"/signup/[token]">) {
  const { token } = await params;
  const pending = await findSignUp(database(), token);
  if (!pending) return <DeadLink />;

  return (
    <>
      <div>
        <h1 className="text-xl font-semibold tracking-tight">Create your account</h1>
        <p className="mt-1 text-sm break-words text-muted">for {pending.email}</p>
      </div>
      <Form action={createAccount} className="grid gap-4">
        <input type="hidden" name="token" value={token} />
        {/* Tells password managers which account the new password belongs to. */}
        <input
          type="email"
          name="username"
          value={pending.email}
          autoComplete="username"
          readOnly
          hidden
        />
        <Field name="name" label="Name" autoComplete="name" maxLength={100} />
        <Field
          name="password"
          label="Password"
          type="password"
          autoComplete="new-password"
          minLength={passwordPolicy.minLength}
          hint={`At least ${passwordPolicy.minLength} characters. A few unrelated words are good.`}
        />
        <Submit>Create account</Submit>
      </Form>
    </>
  );
}

function DeadLink() {
  return (
    <>
      <div className="grid gap-2">
        <h1 className="text-xl font-semibold tracking-tight">This link no longer works</h1>
        <p className="text-sm text-muted">
          It was used already, is older than 24 hours, or a newer one was sent. If you have created
          your account, log in; if not, ask for a new link.
        </p>
      </div>
      <div className="grid gap-2">
        <Link href="/signup" className="button-primary">
          Get a new link
        </Link>
        <Link href="/login" className="button">
          Log in
        </Link>
      </div>
    </>
  );
}
