import type { Metadata } from "next";
import { Form, Submit } from "@/app/_ui/form";
import { Notice } from "@/app/_ui/notice";
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
      <div>
        <h1 className="text-2xl font-semibold tracking-tight">Password</h1>
        <p className="mt-1 text-muted">Changing it logs out all your other devices.</p>
      </div>
      <Notice notice={notice} sentences={notices} />
      <section className="card p-5 sm:p-6">
        <Form action={changePassword} className="grid max-w-md gap-4">
          <input
            type="email"
            name="username"
            value={user.email}
            autoComplete="username"
            readOnly
            hidden
          />
          <CurrentPassword name="current" label="Current password" />
          <NewPassword name="next" label="New password" minLength={passwordPolicy.minLength} />
          <Submit className="button-primary justify-self-start">Change password</Submit>
        </Form>
      </section>
    </>
  );
}
