import type { Metadata } from "next";
import { Field, Form, Submit } from "@/app/_ui/form";
import { Notice } from "@/app/_ui/notice";
import { requireSession } from "@/lib/auth/current";
import { saveProfile } from "./actions";

export const metadata: Metadata = { title: "Profile" };

export default async function ProfilePage({ searchParams }: PageProps<"/settings/profile">) {
  const { user } = await requireSession("/settings/profile");
  const { notice } = await searchParams;
  return (
    <>
      <h1 className="text-2xl font-semibold tracking-tight">Profile</h1>
      <Notice notice={notice} sentences={{ saved: "Your profile is saved." }} />
      <section className="card p-5 sm:p-6">
        <Form action={saveProfile} className="grid max-w-md gap-4">
          <Field
            name="name"
            label="Name"
            autoComplete="name"
            maxLength={100}
            defaultValue={user.name}
          />
          <div className="grid gap-1 text-sm">
            <p className="font-medium">Email</p>
            <p className="break-words text-muted">{user.email}</p>
          </div>
          <Submit className="button-primary justify-self-start">Save</Submit>
        </Form>
      </section>
    </>
  );
}
