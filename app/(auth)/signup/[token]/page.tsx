import type { Metadata } from "next";
import { Field } from "@/app/_ui/field";
import { Form, Submit } from "@/app/_ui/form";
import { InvalidLink } from "@/app/_ui/invalid-link";
import { PageHeader, UsernameHint } from "@/app/_ui/page";
import { NewPassword } from "@/app/_ui/password";
import { tokenPageMetadata } from "@/app/_ui/token-page-metadata";
import { linkPolicy, passwordPolicy } from "@/lib/auth/policy";
import { findSignUp } from "@/lib/auth/sign-up-links";
import { database } from "@/lib/db/client";
import { inWords } from "@/lib/time";
import { redirectIfUnreachable } from "@/lib/web/request";
import { createAccount } from "./actions";

export const metadata: Metadata = { title: "Create your account", ...tokenPageMetadata };

export default async function FinishSignUpPage({ params }: PageProps<"/signup/[token]">) {
  const { token } = await params;
  const pending = await findSignUp(database(), token).catch(redirectIfUnreachable);
  if (!pending) {
    return (
      <InvalidLink
        why={`It was already used, is older than ${inWords(linkPolicy.signUp)}, or was replaced by a newer one. If you have created your account, log in. Otherwise, request a new link.`}
        next={{ href: "/signup", label: "Get a new link" }}
      />
    );
  }

  return (
    <>
      <PageHeader small title="Create your account">
        For {pending.email}
      </PageHeader>
      <Form action={createAccount} className="grid gap-4">
        <input type="hidden" name="token" value={token} />
        <UsernameHint email={pending.email} />
        <Field name="name" label="Name" autoComplete="name" maxLength={100} />
        <NewPassword label="Password" minLength={passwordPolicy.minLength} />
        <Submit>Create account</Submit>
      </Form>
    </>
  );
}
