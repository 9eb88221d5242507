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
import { EndedAccess } from "../../ended-access";
import { disownLogin } from "./actions";

export const metadata: Metadata = { title: "This was not me", ...tokenPageMetadata };

export default async function NotMePage({ params }: PageProps<"/not-me/[token]">) {
  const { token } = await params;
  const link = await findLink(database(), token, "not-me").catch(redirectIfUnreachable);
  if (!link) {
    return (
      <InvalidLink
        why={`It was already used, or is older than ${inWords(linkPolicy.notMe)}. If an attacker has access to your account, choose a new password: that logs out every device.`}
        next={{ href: "/forgot-password", label: "Choose a new password" }}
      />
    );
  }
  return (
    <>
      <PageHeader small title="This was not me">
        If it was not you, an attacker has access to the account of {link.email}. This button ends
        all access:
      </PageHeader>
      <ul className="grid list-disc gap-1 pl-5 text-sm">
        <EndedAccess />
        {link.sentTo !== link.email && (
          <li className="break-words">
            The email of your account was changed to {link.email}. It becomes {link.sentTo} again,
            if the change is not older than {inWords(linkPolicy.emailRestore)}.
          </li>
        )}
      </ul>
      <Form action={disownLogin} className="grid gap-4">
        <input type="hidden" name="token" value={token} />
        <Submit className="button-danger">Log out every device</Submit>
      </Form>
    </>
  );
}
