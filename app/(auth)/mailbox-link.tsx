import { hasMailbox } from "@/lib/env";

/** Development only. A plain link, because typed routes know the routes of a build, which has none. */
export function MailboxLink() {
  if (!hasMailbox()) return null;
  return (
    <a href="/dev/mailbox" className="button">
      Open the mailbox
    </a>
  );
}
