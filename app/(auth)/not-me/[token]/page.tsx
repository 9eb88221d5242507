import type { Metadata } from "next";
import { DeadLink } from "@/app/_ui/dead-link";
import { Form, Submit } from "@/app/_ui/form";
import { secretPath } from "@/app/_ui/secret-path";
import { unavailable } from "@/lib/auth/current";
import { findLink } from "@/lib/auth/links";
import { database } from "@/lib/db/client";
import { logOutStranger } from "./actions";

export const metadata: Metadata = { title: "This was not me", ...secretPath };

export default async function NotMePage({ params }: PageProps<"/not-me/[token]">) {
  const { token } = await params;
  const link = await findLink(database(), token, "not-me").catch(unavailable);
  if (!link) {
    return (
      <DeadLink
        why="It was used already, or is older than 7 days. If somebody else is in your account, choose a new password: that logs out every device."
        next={{ href: "/forgot-password", label: "Choose a new password" }}
      />
    );
  }
  return (
    <>
      <div>
        <h1 className="text-xl font-semibold tracking-tight">This was not me</h1>
        <p className="mt-1 text-sm break-words text-muted">
          Every device is logged out of {link.email} at once, and we send you a link to choose a new
          password.
        </p>
      </div>
      <Form action={logOutStranger} className="grid gap-4">
        <input type="hidden" name="token" value={token} />
        <Submit className="button-danger">Log out every device</Submit>
      </Form>
    </>
  );
}
