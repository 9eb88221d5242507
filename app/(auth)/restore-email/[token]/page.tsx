import type { Metadata } from "next";
import { Form, Submit } from "@/app/_ui/form";
import { InvalidLink } from "@/app/_ui/invalid-link";
import { PageHeader } from "@/app/_ui/page";
import { tokenPageMetadata } from "@/app/_ui/token-page-metadata";
import { findLink } from "@/lib/auth/links";
import { linkPolicy } from "@/lib/auth/policy";
import { database } from "@/lib/db/client";
import { product } from "@/lib/product";
import { inWords } from "@/lib/time";
import { redirectIfUnreachable } from "@/lib/web/request";
import { EndedAccess } from "../../ended-access";
import { restoreEmail } from "./actions";

export const metadata: Metadata = { title: "Take your email back", ...tokenPageMetadata };

export default async function RestoreEmailPage({ params }: PageProps<"/restore-email/[token]">) {
  const { token } = await params;
  const link = await findLink(database(), token, "email-restore").catch(redirectIfUnreachable);
  if (!link) {
    return (
      <InvalidLink
        why={`It was already used, or is older than ${inWords(linkPolicy.emailRestore)}. If you cannot log in to your account, write to ${product.supportEmail}.`}
        next={{ href: "/login", label: "Log in" }}
      />
    );
  }
  return (
    <>
      <PageHeader small title="Take your email back">
        Your account returns to {link.sentTo}. An attacker who changed your email has access to your
        account, so this ends all access:
      </PageHeader>
      <ul className="grid list-disc gap-1 pl-5 text-sm">
        <EndedAccess />
      </ul>
      <Form action={restoreEmail} className="grid gap-4">
        <input type="hidden" name="token" value={token} />
        <Submit>Take it back</Submit>
      </Form>
    </>
  );
}
