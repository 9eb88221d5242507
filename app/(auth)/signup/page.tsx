import type { Metadata } from "next";
import { redirect } from "next/navigation";
import { Field } from "@/app/_ui/field";
import { Form, Submit } from "@/app/_ui/form";
import { PageHeader } from "@/app/_ui/page";
import { ProviderButton } from "@/app/_ui/provider-button";
import { MailboxLink } from "@/app/(auth)/mailbox-link";
import { linkPolicy } from "@/lib/auth/policy";
import { safeNext } from "@/lib/http";
import { inWords } from "@/lib/time";
import { providers } from "@/lib/web/providers";
import { currentSession } from "@/lib/web/session";
import { signUp } from "./actions";

export const metadata: Metadata = { title: "Sign up" };

export default async function SignUpPage({ searchParams }: PageProps<"/signup">) {
  const { next, notice } = await searchParams;
  if (await currentSession()) redirect("/dashboard");
  if (notice === "check-your-email") return <CheckYourEmail />;

  return (
    <>
      <PageHeader small title="Create an account">
        We email you a link. Open it to choose your name and password.
      </PageHeader>
      <Form action={signUp} className="grid gap-4">
        <Field name="email" label="Email" type="email" autoComplete="email" />
        <Submit>Continue</Submit>
      </Form>
      {providers().map(({ id, name }) => (
        <form key={id} method="post" className="grid">
          <input type="hidden" name="remember" value="on" />
          <ProviderButton provider={id} name={name} label="Sign up with" />
        </form>
      ))}
      <p className="text-sm text-muted">
        Already have an account?{" "}
        <a
          href={next ? `/login?next=${encodeURIComponent(safeNext(next))}` : "/login"}
          className="link"
        >
          Log in
        </a>
      </p>
    </>
  );
}

/** Looks the same for every email. Only the mail reveals whether it has an account. */
function CheckYourEmail() {
  return (
    <>
      <PageHeader small title="Check your email">
        We have sent you a link. It works once, for {inWords(linkPolicy.signUp)}. No email? Check
        your spam folder, or{" "}
        <a href="/signup" className="link">
          request another link
        </a>
        .
      </PageHeader>
      <MailboxLink />
    </>
  );
}
