import type { Metadata } from "next";
import { Form, Submit } from "@/app/_ui/form";
import { Notice } from "@/app/_ui/notice";
import { PageHeader, Section, UsernameHint } from "@/app/_ui/page";
import { CurrentPassword, NewPassword } from "@/app/_ui/password";
import { passwordPolicy } from "@/lib/auth/policy";
import { requireSession } from "@/lib/web/session";
import { changePassword } from "./actions";

export const metadata: Metadata = { title: "Password" };

const notices = {
  "password-changed": "Your password is changed. All other devices are logged out.",
};

export default async function PasswordPage({ searchParams }: PageProps<"/settings/password">) {
  const { user } = await requireSession("/settings/password");
  const { notice } = await searchParams;
  return (
    <>
      <PageHeader title="Password">
        Changing your password logs out all your other devices.
      </PageHeader>
      <Notice notice={notice} sentences={notices} />
      <Section>
        <Form action={changePassword} className="grid max-w-md gap-4">
          <UsernameHint email={user.email} />
          <CurrentPassword name="current" label="Current password" />
          <NewPassword name="next" label="New password" minLength={passwordPolicy.minLength} />
          <Submit className="button-primary justify-self-start">Change password</Submit>
        </Form>
      </Section>
    </>
  );
}
