import type { Metadata } from "next";
import { redirect } from "next/navigation";
import { Field } from "@/app/_ui/field";
import { Form, Submit } from "@/app/_ui/form";
import { PageHeader } from "@/app/_ui/page";
import { safeNext } from "@/lib/http";
import { product } from "@/lib/product";
import { currentPendingLogin } from "@/lib/web/cookies";
import { enterRecoveryCode } from "./actions";

export const metadata: Metadata = { title: "Use a recovery code" };

export default async function RecoveryPage({ searchParams }: PageProps<"/login/recovery">) {
  const { next } = await searchParams;
  const target = safeNext(next);
  const pending = await currentPendingLogin();
  if (!pending) redirect(`/login?next=${encodeURIComponent(target)}`);
  return (
    <>
      <PageHeader small title="Use a recovery code">
        Enter one of the codes that you saved when you turned two-factor on. Each works once.
      </PageHeader>
      <Form action={enterRecoveryCode} className="grid gap-4">
        <input type="hidden" name="next" value={target} />
        <Field name="recoveryCode" label="Recovery code" autoComplete="off" maxLength={100} />
        <Submit>Log in</Submit>
      </Form>
      <p className="text-sm text-muted">
        Lost your phone and your codes? Write to {product.supportEmail}.
      </p>
      <a href={`/login/code?next=${encodeURIComponent(target)}`} className="link text-sm">
        Use your authenticator app
      </a>
    </>
  );
}
