import type { Metadata } from "next";
import { Field } from "@/app/_ui/field";
import { Form, Submit } from "@/app/_ui/form";
import { Notice } from "@/app/_ui/notice";
import { PageHeader, Section } from "@/app/_ui/page";
import { draft } from "@/lib/web/drafts";
import { requireSession } from "@/lib/web/session";
import { changeEmail, deleteAccount, saveProfile } from "./actions";

export const metadata: Metadata = { title: "Profile" };

const notices = {
  saved: "Your profile is saved.",
  "email-link-sent": "We have sent a link to your new email. Open it to make the change.",
  confirmed: {
    info: "You have confirmed that it is you. Continue where you were: nothing has been done yet.",
  },
  "email-changed": "Your email is changed. Your other devices are logged out.",
};

export default async function ProfilePage({ searchParams }: PageProps<"/settings/profile">) {
  const { user } = await requireSession("/settings/profile");
  const { notice } = await searchParams;
  return (
    <>
      <PageHeader title="Profile" />
      <Notice notice={notice} sentences={notices} />
      <Section>
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
      </Section>
      <Section
        title="Email"
        description={`You log in with ${user.email}. We send a link to the new email, and a notice to this one.`}
      >
        <Form
          action={changeEmail}
          draft={await draft("change-email")}
          className="grid max-w-md gap-4"
        >
          <Field name="email" label="Email" type="email" autoComplete="email" />
          <Submit className="button justify-self-start">Change email</Submit>
        </Form>
      </Section>
      <Section
        title="Your data"
        description="Your profile, devices, activity and memberships, as a JSON file."
      >
        {/* Not a server action: only a route handler can respond with a file. */}
        <form method="post" action="/settings/profile/data">
          <button type="submit" className="button">
            Download my data
          </button>
        </form>
      </Section>
      <Section
        tone="danger"
        title="Delete account"
        description="Deletes your account and everything in it at once, along with the teams in which you are the only member. This cannot be undone."
      >
        <Form
          action={deleteAccount}
          draft={await draft("delete-account")}
          className="grid max-w-md gap-4"
        >
          <Field name="confirmation" label="Type your email to confirm" autoComplete="off" />
          <Submit className="button-danger justify-self-start">Delete account</Submit>
        </Form>
      </Section>
    </>
  );
}
