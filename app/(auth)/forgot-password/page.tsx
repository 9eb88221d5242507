import type { Metadata } from "next";
import { Field } from "@/app/_ui/field";
import { Form, Submit } from "@/app/_ui/form";
import { PageHeader } from "@/app/_ui/page";
import { MailboxLink } from "@/app/(auth)/mailbox-link";
import { linkPolicy } from "@/lib/auth/policy";
import { inWords } from "@/lib/time";
import { sendResetLink } from "./actions";

export const metadata: Metadata = { title: "Forgot your password?" };

export default async function ForgotPasswordPage({ searchParams }: PageProps<"/forgot-password">) {
  if ((await searchParams).notice === "check-your-email") return <CheckYourEmail />;
  return (
    <>
      <PageHeader small title="Forgot your password?">
        We email you a link to choose a new one.
      </PageHeader>
      <Form action={sendResetLink} className="grid gap-4">
        <Field name="email" label="Email" type="email" autoComplete="username" />
        <Submit>Send reset link</Submit>
      </Form>
      <p className="text-sm text-muted">
        <a href="/login" className="link">
          Back to log in
        </a>
      </p>
    </>
  );
}

/** Looks the same for every email, so that it does not reveal whether an account exists. */
function CheckYourEmail() {
  return (
    <>
      <PageHeader small title="Check your email">
        If there is an account with this email, a link is on its way. It works once, for{" "}
        {inWords(linkPolicy.passwordReset)}. No email? Check your spam folder, or{" "}
        <a href="/forgot-password" className="link">
          request another link
        </a>
        .
      </PageHeader>
      <MailboxLink />
    </>
  );
}
