import type { Metadata } from "next";
import { Form, Submit } from "@/app/_ui/form";
import { InvalidLink } from "@/app/_ui/invalid-link";
import { PageHeader } from "@/app/_ui/page";
import { tokenPageMetadata } from "@/app/_ui/token-page-metadata";
import { findLink } from "@/lib/auth/links";
import { linkPolicy } from "@/lib/auth/policy";
import { database } from "@/lib/db/client";
import { inWords } from "@/lib/time";
import { redirectIfUnreachable } from "@/lib/web/request";
import { confirmEmail } from "./actions";

export const metadata: Metadata = { title: "Confirm your new email", ...tokenPageMetadata };

export default async function ChangeEmailPage({ params }: PageProps<"/change-email/[token]">) {
  const { token } = await params;
  const link = await findLink(database(), token, "email-change").catch(redirectIfUnreachable);
  if (!link) {
    return (
      <InvalidLink
        why={`It was already used, is older than ${inWords(linkPolicy.emailChange)}, or was replaced by a newer one. You can request another in your profile.`}
        next={{ href: "/settings/profile", label: "Go to your profile" }}
      />
    );
  }
  return (
    <>
      <PageHeader small title="Confirm your new email">
        You will log in with {link.sentTo} from now on. Your other devices are logged out, and your
        API keys are revoked.
      </PageHeader>
      <Form action={confirmEmail} className="grid gap-4">
        <input type="hidden" name="token" value={token} />
        <Submit>Use this email</Submit>
      </Form>
    </>
  );
}
