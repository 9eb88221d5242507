import type { Metadata } from "next";
import { DeadLink } from "@/app/_ui/dead-link";
import { Form, Submit } from "@/app/_ui/form";
import { secretPath } from "@/app/_ui/secret-path";
import { unavailable } from "@/lib/auth/current";
import { findLink } from "@/lib/auth/links";
import { database } from "@/lib/db/client";
import { restoreEmail } from "./actions";

export const metadata: Metadata = { title: "Take your address back", ...secretPath };

export default async function RestoreEmailPage({ params }: PageProps<"/restore-email/[token]">) {
  const { token } = await params;
  const link = await findLink(database(), token, "email-restore").catch(unavailable);
  if (!link) {
    return (
      <DeadLink
        why="It was used already, or is older than 7 days. If you cannot get into your account, write to us."
        next={{ href: "/login", label: "Log in" }}
      />
    );
  }
  return (
    <>
      <div>
        <h1 className="text-xl font-semibold tracking-tight">Take your address back</h1>
        <p className="mt-1 text-sm break-words text-muted">
          Your account returns to {link.sentTo}, and every device is logged out. We also send you a
          link to choose a new password: whoever changed the address may know the old one.
        </p>
      </div>
      <Form action={restoreEmail} className="grid gap-4">
        <input type="hidden" name="token" value={token} />
        <Submit>Take it back</Submit>
      </Form>
    </>
  );
}
