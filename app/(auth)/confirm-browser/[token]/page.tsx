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
import { confirmBrowser } from "./actions";

export const metadata: Metadata = { title: "Confirm this browser", ...tokenPageMetadata };

export default async function ConfirmBrowserLinkPage({
  params,
}: PageProps<"/confirm-browser/[token]">) {
  const { token } = await params;
  const link = await findLink(database(), token, "confirm-browser").catch(redirectIfUnreachable);
  if (!link) {
    return (
      <InvalidLink
        why={`It was already used, is older than ${inWords(linkPolicy.confirmBrowser)}, or was replaced by a newer one.`}
        next={{ href: "/confirm-browser", label: "Get a new link" }}
      />
    );
  }
  return (
    <>
      <PageHeader small title="Confirm this browser">
        Continue only if you requested this link. This browser can then log in to {link.email} with
        its password.
      </PageHeader>
      <Form action={confirmBrowser} className="grid gap-4">
        <input type="hidden" name="token" value={token} />
        <Submit>Confirm this browser</Submit>
      </Form>
    </>
  );
}
