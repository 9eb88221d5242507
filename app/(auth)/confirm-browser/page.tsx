import type { Metadata } from "next";
import { Field } from "@/app/_ui/field";
import { Form, Submit } from "@/app/_ui/form";
import { PageHeader } from "@/app/_ui/page";
import { MailboxLink } from "@/app/(auth)/mailbox-link";
import { linkPolicy } from "@/lib/auth/policy";
import { inWords } from "@/lib/time";
import { sendBrowserLink } from "./actions";

export const metadata: Metadata = { title: "Confirm this browser" };

export default async function ConfirmBrowserPage({ searchParams }: PageProps<"/confirm-browser">) {
  if ((await searchParams).notice === "check-your-email") return <CheckYourEmail />;
  return (
    <>
      <PageHeader small title="Confirm this browser">
        After too many wrong passwords for an account, a browser that has not logged in to it before
        must be confirmed by email. Then you can log in with your password.
      </PageHeader>
      <Form action={sendBrowserLink} className="grid gap-4">
        <Field name="email" label="Email" type="email" autoComplete="username" />
        <Submit>Send link</Submit>
      </Form>
      <div className="flex flex-wrap justify-between gap-x-4 gap-y-2 text-sm">
        <a href="/login" className="link">
          Back to log in
        </a>
        <a href="/forgot-password" className="link">
          Forgot your password?
        </a>
      </div>
    </>
  );
}

/** Looks the same for every email, so that it does not reveal whether an account exists. */
function CheckYourEmail() {
  return (
    <>
      <PageHeader small title="Check your email">
        If there is an account with this email, a link is on its way. Open it in this browser. It
        works once, for {inWords(linkPolicy.confirmBrowser)}. No email? Check your spam folder, or{" "}
        <a href="/confirm-browser" className="link">
          request another link
        </a>
        .
      </PageHeader>
      <MailboxLink />
    </>
  );
}
