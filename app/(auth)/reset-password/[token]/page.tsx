import type { Metadata } from "next";
import { Form, Submit } from "@/app/_ui/form";
import { InvalidLink } from "@/app/_ui/invalid-link";
import { PageHeader, UsernameHint } from "@/app/_ui/page";
import { NewPassword } from "@/app/_ui/password";
import { tokenPageMetadata } from "@/app/_ui/token-page-metadata";
import { findLink } from "@/lib/auth/links";
import { linkPolicy, passwordPolicy } from "@/lib/auth/policy";
import { database } from "@/lib/db/client";
import { inWords } from "@/lib/time";
import { redirectIfUnreachable } from "@/lib/web/request";
import { setNewPassword } from "./actions";
import { ApiKeys } from "./api-keys";
import { Reason } from "./reason";

export const metadata: Metadata = { title: "Choose a new password", ...tokenPageMetadata };

export default async function ResetPasswordPage({ params }: PageProps<"/reset-password/[token]">) {
  const { token } = await params;
  const link = await findLink(database(), token, "password-reset").catch(redirectIfUnreachable);
  if (!link) {
    return (
      <InvalidLink
        why={`It was already used, is older than ${inWords(linkPolicy.passwordReset)}, or was replaced by a newer one. Your password was not changed.`}
        next={{ href: "/forgot-password", label: "Get a new link" }}
      />
    );
  }
  return (
    <>
      <PageHeader small title="Choose a new password">
        For {link.email}. This logs out every device.
      </PageHeader>
      <Form action={setNewPassword} className="grid gap-4">
        <input type="hidden" name="token" value={token} />
        <UsernameHint email={link.email} />
        <NewPassword label="New password" minLength={passwordPolicy.minLength} />
        <Reason userId={link.userId} />
        <ApiKeys userId={link.userId} />
        <Submit>Set new password</Submit>
      </Form>
    </>
  );
}
