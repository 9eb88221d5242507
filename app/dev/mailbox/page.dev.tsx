import type { Metadata } from "next";
import { headers } from "next/headers";
import { notFound } from "next/navigation";
import { Header } from "@/app/_ui/header";
import { EmptyState, PageHeader } from "@/app/_ui/page";
import { Time } from "@/app/_ui/time";
import { hasMailbox } from "@/lib/env";
import { isLoopbackHost } from "@/lib/http";
import { listMails } from "@/lib/mail/mailbox";

export const metadata: Metadata = { title: "Mailbox", robots: { index: false } };

/**
 * Shows every mail that development would have sent. Its file name excludes it from
 * builds: see next.config.ts.
 */
export default async function MailboxPage({
  searchParams,
}: {
  searchParams: Promise<{ to?: string | string[] }>;
}) {
  if (!isLoopbackHost((await headers()).get("host"))) notFound();
  const { to } = await searchParams;
  const mails = await listMails(typeof to === "string" ? to : undefined);
  return (
    <>
      <Header home="/">
        <span className="text-muted">Development mailbox</span>
      </Header>
      <main
        id="main"
        className="mx-auto grid w-full max-w-3xl flex-1 content-start gap-6 px-4 py-8 sm:px-6"
      >
        <PageHeader title="Mailbox">
          {hasMailbox()
            ? "Mail is caught here until SMTP_URL is set. Newest first."
            : "SMTP_URL is set, so new mail goes there and not here."}
        </PageHeader>
        {mails.length === 0 && (
          <EmptyState>
            No mail yet.{" "}
            <a href="/signup" className="link">
              Sign up
            </a>{" "}
            with any email, and the message appears here.
          </EmptyState>
        )}
        {mails.map((mail) => (
          <article key={mail.id} className="card p-5">
            <h2 className="font-medium">{mail.subject}</h2>
            <p className="mt-0.5 text-sm break-words text-muted">
              to {mail.to}, <Time at={new Date(mail.sentAt)} />
            </p>
            <p className="mt-3 text-sm break-words whitespace-pre-line">
              <Linked text={mail.text.trim()} />
            </p>
          </article>
        ))}
      </main>
    </>
  );
}

function Linked({ text }: { text: string }) {
  return text.split(/(https?:\/\/\S+)/).map((part, index) =>
    index % 2 === 1 ? (
      <a key={part} href={part} className="link break-all">
        {part}
      </a>
    ) : (
      part
    ),
  );
}
