import type { Metadata } from "next";
import Link from "next/link";
import { redirect } from "next/navigation";
import { Field, Form, Submit } from "@/app/_ui/form";
import { MailboxLink } from "@/app/(auth)/mailbox-link";
import { currentSession } from "@/lib/web/session";
import { signUp } from "./actions";

export const metadata: Metadata = { title: "Sign up" };

export default async function SignUpPage({ searchParams }: PageProps<"/signup">) {
  if (await currentSession()) redirect("/dashboard");
  if ((await searchParams).notice === "check-your-email") return <CheckYourEmail />;

  return (
    <>
      <div>
        <h1 className="text-xl font-semibold tracking-tight">Create an account</h1>
        <p className="mt-1 text-sm text-muted">
          We send you a link; behind it you choose your name and password.
        </p>
      </div>
      <Form action={signUp} className="grid gap-4">
        <Field name="email" label="Email" type="email" autoComplete="email" />
        <Submit>Continue</Submit>
      </Form>
      <p className="text-sm text-muted">
        You have an account?{" "}
        <Link href="/login" className="link">
          Log in
        </Link>
      </p>
    </>
  );
}

/** The same for every address: whether it has an account is told by mail alone. */
function CheckYourEmail() {
  return (
    <>
      <div className="grid gap-2">
        <h1 className="text-xl font-semibold tracking-tight">Check your email</h1>
        <p className="text-sm text-muted">
          We have sent you a link. It works once, for 24 hours. Nothing there? Look into the spam
          folder, or{" "}
          <Link href="/signup" className="link">
            ask for a new one
          </Link>
          .
        </p>
      </div>
      <MailboxLink />
    </>
  );
}
