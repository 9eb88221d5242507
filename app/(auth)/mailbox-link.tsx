import { hasMailbox } from "@/lib/env";

/**
 * Development only. A plain `<a>`, because typed routes cover only the routes of a build, and a
 * build has no mailbox.
 */
export function MailboxLink() {
  if (!hasMailbox()) return null;
  return (
    <a href="/dev/mailbox" className="button">
      Open the mailbox
    </a>
  );
}
