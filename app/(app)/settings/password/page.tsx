import type { Metadata } from "next";
import { Form, Submit } from "@/app/_ui/form";
import { Notice } from "@/app/_ui/notice";
import { PageHeader, Section, UsernameHint } from "@/app/_ui/page";
import { CurrentPassword, NewPassword } from "@/app/_ui/password";
import { hasOtherWay } from "@/lib/auth/credentials/last-way-in";
import { hasPassword } from "@/lib/auth/credentials/passwords";
import { passwordPolicy } from "@/lib/auth/policy";
import { database } from "@/lib/db/client";
import { requireSession } from "@/lib/web/session";
import { waysHere } from "@/lib/web/ways-here";
import { changePassword, removePassword, setPassword } from "./actions";

export const metadata: Metadata = { title: "Password" };

const notices = {
  "password-changed": "Your password is changed. All other devices are logged out.",
  "password-set": "Your password is set. You can log in with it now.",
  "password-removed":
    "Your password is removed. Devices that had logged in with it are logged out.",
  "password-none": { info: "Your account has no password." },
  "only-way": { info: "Your password is your only way to log in. Add another way first." },
  confirmed: {
    info: "You have confirmed that it is you. Nothing has been done yet: press the button again.",
  },
};

export default async function PasswordPage({ searchParams }: PageProps<"/settings/password">) {
  const { user } = await requireSession("/settings/password");
  const { notice } = await searchParams;
  const [exists, removable] = await Promise.all([
    hasPassword(database(), user.id),
    hasOtherWay(database(), user.id, "password", waysHere()),
  ]);
  return (
    <>
      <PageHeader title="Password">
        {exists
          ? "Changing your password logs out all your other devices."
          : "Your account has no password."}
      </PageHeader>
      <Notice notice={notice} sentences={notices} />
      {exists ? <Change email={user.email} /> : <First email={user.email} />}
      {exists && removable && <Remove />}
    </>
  );
}

function Change({ email }: { email: string }) {
  return (
    <Section>
      <Form action={changePassword} className="grid max-w-md gap-4">
        <UsernameHint email={email} />
        <CurrentPassword name="current" label="Current password" />
        <NewPassword name="next" label="New password" minLength={passwordPolicy.minLength} />
        <Submit className="button-primary justify-self-start">Change password</Submit>
      </Form>
    </Section>
  );
}

function First({ email }: { email: string }) {
  return (
    <Section
      title="Set a password"
      description="Another way to log in, for when your usual one does not work."
    >
      <Form action={setPassword} className="grid max-w-md gap-4">
        <UsernameHint email={email} />
        <NewPassword name="next" label="New password" minLength={passwordPolicy.minLength} />
        <Submit className="button-primary justify-self-start">Set a password</Submit>
      </Form>
    </Section>
  );
}

function Remove() {
  return (
    <Section
      tone="danger"
      title="Remove password"
      description="Without a password, there is none to guess or steal. You log in another way, and apps that log in with your password are logged out. You can always set a new one by email, with “Forgot your password?”."
    >
      <Form action={removePassword}>
        <Submit className="button-danger">Remove password</Submit>
      </Form>
    </Section>
  );
}
