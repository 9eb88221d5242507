import type { Metadata } from "next";
import { Field, Form, Submit } from "@/app/_ui/form";
import { InvalidLink } from "@/app/_ui/invalid-link";
import { NewPassword } from "@/app/_ui/password";
import { tokenPageMetadata } from "@/app/_ui/token-page-metadata";
import { passwordPolicy } from "@/lib/auth/policy";
import { findSignUp } from "@/lib/auth/sign-up-links";
import { database } from "@/lib/db/client";
import { redirectIfUnreachable } from "@/lib/web/request";
import { createAccount } from "./actions";

export const metadata: Metadata = { title: "Create your account", ...tokenPageMetadata };

export default async function FinishSignUpPage({ params }: PageProps<"/signup/[token]">) {
  const { token } = await params;
  const pending = await findSignUp(database(), token).catch(redirectIfUnreachable);
  if (!pending) {
    return (
      <InvalidLink
        why="It was used already, is older than 24 hours, or a newer one was sent. If you have created your account, log in; if not, ask for a new link."
        next={{ href: "/signup", label: "Get a new link" }}
      />
    );
  }

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
        <NewPassword label="Password" minLength={passwordPolicy.minLength} />
        <Submit>Create account</Submit>
      </Form>
    </>
  );
}
