import type { Metadata } from "next";
import Link from "next/link";
import { Field, Form, Submit } from "@/app/_ui/form";
import { MailboxLink } from "@/app/(auth)/mailbox-link";
import { sendResetLink } from "./actions";

export const metadata: Metadata = { title: "Forgot your password?" };

export default async function ForgotPasswordPage({ searchParams }: PageProps<"/forgot-password">) {
  if ((await searchParams).notice === "check-your-email") return <CheckYourEmail />;
  return (
    <>
      <div>
        <h1 className="text-xl font-semibold tracking-tight">Forgot your password?</h1>
        <p className="mt-1 text-sm text-muted">We send you a link to choose a new one.</p>
      </div>
      <Form action={sendResetLink} className="grid gap-4">
        <Field name="email" label="Email" type="email" autoComplete="username" />
        <Submit>Send reset link</Submit>
      </Form>
      <p className="text-sm text-muted">
        <Link href="/login" className="link">
          Back to log in
        </Link>
      </p>
    </>
  );
}

/** The same for every address. */
function CheckYourEmail() {
  return (
    <>
      <div className="grid gap-2">
        <h1 className="text-xl font-semibold tracking-tight">Check your email</h1>
        <p className="text-sm text-muted">
          If there is an account with this address, a link is on its way. It works once, for 30
          minutes. Nothing there? Look into the spam folder, or{" "}
          <Link href="/forgot-password" className="link">
            ask again
          </Link>
          .
        </p>
      </div>
      <MailboxLink />
    </>
  );
}
