import type { Metadata } from "next";
import { Field, Form, Submit } from "@/app/_ui/form";
import { Notice } from "@/app/_ui/notice";
import { requireSession } from "@/lib/web/session";
import { draft } from "@/lib/web/sudo";
import { changeEmail, deleteAccount, saveProfile } from "./actions";

export const metadata: Metadata = { title: "Profile" };

const notices = {
  saved: "Your profile is saved.",
  "email-link-sent": "Check the mailbox of the new address: the link in it makes the change.",
  confirmed: "You have confirmed that it is you. Go on where you were: nothing has been done yet.",
  "email-changed": "Your address is changed. Your other devices are logged out.",
};

export default async function ProfilePage({ searchParams }: PageProps<"/settings/profile">) {
  const { user } = await requireSession("/settings/profile");
  const { notice } = await searchParams;
  return (
    <>
      <h1 className="text-2xl font-semibold tracking-tight">Profile</h1>
      <Notice notice={notice} sentences={notices} />
      <section className="card p-5 sm:p-6">
        <Form action={saveProfile} className="grid max-w-md gap-4">
          <Field
            name="name"
            label="Name"
            autoComplete="name"
            maxLength={100}
            defaultValue={user.name}
          />
          <Submit className="button-primary justify-self-start">Save</Submit>
        </Form>
      </section>
      <section className="card p-5 sm:p-6">
        <h2 className="font-medium">Email</h2>
        <p className="mt-1 mb-4 text-sm break-words text-muted">
          You log in with {user.email}. A link goes to the new address, and a notice to this one.
        </p>
        <Form
          action={changeEmail}
          draft={await draft("change-email")}
          className="grid max-w-md gap-4"
        >
          <Field name="email" label="Email" type="email" autoComplete="email" />
          <Submit className="button justify-self-start">Change email</Submit>
        </Form>
      </section>
      <section className="card p-5 sm:p-6">
        <h2 className="font-medium">Your data</h2>
        <p className="mt-1 mb-4 text-sm text-muted">
          Your profile, devices and activity, as a JSON file.
        </p>
        {/* No action: only a handler can answer with a file. */}
        <form method="post" action="/settings/profile/data">
          <button type="submit" className="button">
            Download my data
          </button>
        </form>
      </section>
      <section className="rounded-lg border border-danger-line bg-surface p-5 sm:p-6">
        <h2 className="font-medium">Delete account</h2>
        <p className="mt-1 mb-4 text-sm text-muted">
          At once, with everything in it, and on every device. Nothing brings it back.
        </p>
        <Form
          action={deleteAccount}
          draft={await draft("delete-account")}
          className="grid max-w-md gap-4"
        >
          <Field name="confirmation" label="Type your address to confirm" autoComplete="off" />
          <Submit className="button-danger justify-self-start">Delete account</Submit>
        </Form>
      </section>
    </>
  );
}
