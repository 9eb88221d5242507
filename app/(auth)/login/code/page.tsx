import type { Metadata } from "next";
import { redirect } from "next/navigation";
import { Field } from "@/app/_ui/field";
import { Form, Submit } from "@/app/_ui/form";
import { PageHeader } from "@/app/_ui/page";
import { safeNext } from "@/lib/http";
import { currentPendingLogin } from "@/lib/web/cookies";
import { enterCode } from "./actions";

export const metadata: Metadata = { title: "Enter your code" };

export default async function CodePage({ searchParams }: PageProps<"/login/code">) {
  const { next } = await searchParams;
  const target = safeNext(next);
  const pending = await currentPendingLogin();
  if (!pending) redirect(`/login?next=${encodeURIComponent(target)}`);
  return (
    <>
      <PageHeader small title="Enter your code">
        Enter the code from your authenticator app to log in as {pending.email}.
      </PageHeader>
      <Form action={enterCode} className="grid gap-4">
        <input type="hidden" name="next" value={target} />
        <Field
          name="code"
          label="Code"
          hint="6 digits"
          inputMode="numeric"
          autoComplete="one-time-code"
          maxLength={100}
        />
        <Submit>Log in</Submit>
      </Form>
      <div className="flex flex-wrap justify-between gap-x-4 gap-y-2 text-sm">
        <a href={`/login/recovery?next=${encodeURIComponent(target)}`} className="link">
          Use a recovery code
        </a>
        <a href="/login" className="link">
          Log in to another account
        </a>
      </div>
    </>
  );
}
