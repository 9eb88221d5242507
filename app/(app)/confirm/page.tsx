import type { Metadata, Route } from "next";
import Link from "next/link";
import { redirect } from "next/navigation";
import { Field } from "@/app/_ui/field";
import { Form, Submit } from "@/app/_ui/form";
import { PageHeader } from "@/app/_ui/page";
import { CurrentPassword } from "@/app/_ui/password";
import { isTwoFactorOn } from "@/lib/auth/credentials/two-factor";
import { database } from "@/lib/db/client";
import { safeNext } from "@/lib/http";
import { requireSession } from "@/lib/web/session";
import { confirm } from "./actions";

export const metadata: Metadata = { title: "Confirm that it is you" };

export default async function ConfirmPage({ searchParams }: PageProps<"/confirm">) {
  const { next } = await searchParams;
  const target = safeNext(next);
  const session = await requireSession(`/confirm?next=${encodeURIComponent(target)}`);
  const { sudo, strong, user } = session;
  const twoFactor = await isTwoFactorOn(database(), user.id);
  if (sudo === "full" && (strong || !twoFactor)) redirect(target as Route); // safeNext: a path of this site

  return (
    <div className="card mx-auto grid w-full max-w-sm gap-5 p-6 sm:mt-8">
      <PageHeader small title="Confirm that it is you">
        Enter the password of {user.email} again{twoFactor && " and a code"}, then continue where
        you were. This protects your account if you leave this browser unattended.
      </PageHeader>
      <Form action={confirm} className="grid gap-4">
        <input type="hidden" name="next" value={target} />
        <CurrentPassword label="Password" />
        {twoFactor && (
          <Field
            name="code"
            label="Code"
            hint="From your authenticator app, or a recovery code"
            autoComplete="one-time-code"
            maxLength={100}
          />
        )}
        <Submit>Confirm</Submit>
      </Form>
      <div className="flex flex-wrap justify-between gap-x-4 gap-y-2 text-sm">
        <Link href="/forgot-password" className="link">
          Forgot your password?
        </Link>
        <Link href="/dashboard" className="link">
          Not now
        </Link>
      </div>
    </div>
  );
}
