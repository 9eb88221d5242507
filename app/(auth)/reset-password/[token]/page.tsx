import type { Metadata } from "next";
import { Form, Submit } from "@/app/_ui/form";
import { InvalidLink } from "@/app/_ui/invalid-link";
import { NewPassword } from "@/app/_ui/password";
import { tokenPageMetadata } from "@/app/_ui/token-page-metadata";
import { findLink } from "@/lib/auth/links";
import { passwordPolicy } from "@/lib/auth/policy";
import { database } from "@/lib/db/client";
import { redirectIfUnreachable } from "@/lib/web/request";
import { setNewPassword } from "./actions";
import { ApiKeys } from "./api-keys";

export const metadata: Metadata = { title: "Choose a new password", ...tokenPageMetadata };

export default async function ResetPasswordPage({ params }: PageProps<"/reset-password/[token]">) {
  const { token } = await params;
  const link = await findLink(database(), token, "password-reset").catch(redirectIfUnreachable);
  if (!link) {
    return (
      <InvalidLink
        why="It was used already, is older than 30 minutes, or a newer one was sent. Your password is as it was."
        next={{ href: "/forgot-password", label: "Get a new link" }}
      />
    );
  }
  return (
    <>
      <div>
        <h1 className="text-xl font-semibold tracking-tight">Choose a new password</h1>
        <p className="mt-1 text-sm break-words text-muted">
          for {link.email}. This logs out every device.
        </p>
      </div>
      <Form action={setNewPassword} className="grid gap-4">
        <input type="hidden" name="token" value={token} />
        {/* Tells password managers which account the new password belongs to. */}
        <input
          type="email"
          name="username"
          value={link.email}
          autoComplete="username"
          readOnly
          hidden
        />
        <NewPassword label="New password" minLength={passwordPolicy.minLength} />
        <ApiKeys userId={link.userId} />
        <Submit>Set new password</Submit>
      </Form>
    </>
  );
}
