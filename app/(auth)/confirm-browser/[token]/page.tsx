import type { Metadata } from "next";
import { Form, Submit } from "@/app/_ui/form";
import { InvalidLink } from "@/app/_ui/invalid-link";
import { tokenPageMetadata } from "@/app/_ui/token-page-metadata";
import { findLink } from "@/lib/auth/links";
import { database } from "@/lib/db/client";
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
        why="It was used already, is older than 30 minutes, or a newer one was sent."
        next={{ href: "/confirm-browser", label: "Get a new link" }}
      />
    );
  }
  return (
    <>
      <div>
        <h1 className="text-xl font-semibold tracking-tight">Confirm this browser</h1>
        <p className="mt-1 text-sm break-words text-muted">
          Only if it was you who asked for this link: then this browser may log in to {link.email}{" "}
          with its password.
        </p>
      </div>
      <Form action={confirmBrowser} className="grid gap-4">
        <input type="hidden" name="token" value={token} />
        <Submit>Confirm this browser</Submit>
      </Form>
    </>
  );
}
