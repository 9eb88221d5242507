import type { Metadata } from "next";
import Link from "next/link";
import { Field, Form, Submit } from "@/app/_ui/form";
import { MailboxLink } from "@/app/(auth)/mailbox-link";
import { sendBrowserLink } from "./actions";

export const metadata: Metadata = { title: "Confirm this browser" };

export default async function ConfirmBrowserPage({ searchParams }: PageProps<"/confirm-browser">) {
  if ((await searchParams).notice === "check-your-email") return <CheckYourEmail />;
  return (
    <>
      <div>
        <h1 className="text-xl font-semibold tracking-tight">Confirm this browser</h1>
        <p className="mt-1 text-sm text-muted">
          After too many wrong passwords for an account, a browser that has not logged in to it
          before needs a link from us first. Then you log in with your password.
        </p>
      </div>
      <Form action={sendBrowserLink} className="grid gap-4">
        <Field name="email" label="Email" type="email" autoComplete="username" />
        <Submit>Send link</Submit>
      </Form>
      <div className="flex flex-wrap justify-between gap-x-4 gap-y-2 text-sm">
        <Link href="/login" className="link">
          Back to log in
        </Link>
        <Link href="/forgot-password" className="link">
          Forgot your password?
        </Link>
      </div>
    </>
  );
}

/** The same for every email. */
function CheckYourEmail() {
  return (
    <>
      <div className="grid gap-2">
        <h1 className="text-xl font-semibold tracking-tight">Check your email</h1>
        <p className="text-sm text-muted">
          If there is an account with this email, a link is on its way. Open it in this browser. It
          works once, for 30 minutes. Nothing there? Look into the spam folder, or{" "}
          <Link href="/confirm-browser" className="link">
            ask again
          </Link>
          .
        </p>
      </div>
      <MailboxLink />
    </>
  );
}
