import nodemailer, { type Transporter } from "nodemailer";
import { env, hasMailbox } from "@/lib/env";
import { isLoopback } from "@/lib/http";
import { seconds } from "@/lib/time";
import type { Mail } from "./layout";

/**
 * Sends a mail over SMTP_URL. If it is not set, which is possible only in development, keeps the
 * mail for /dev/mailbox. Throws if the server does not accept the mail. The error contains no
 * email, because it is kept in the queue and logged, and servers often repeat the one they refuse.
 * Call it after the response, so that its duration does not reveal whether an email has an account.
 */
export async function sendMail(mail: Mail): Promise<void> {
  // Next replaces this constant when it bundles: a build contains neither this line nor mailbox.ts.
  if (process.env.NODE_ENV !== "production" && hasMailbox())
    return (await import("./mailbox")).keepMail(mail);
  const { SMTP_URL, MAIL_FROM } = env();
  if (!SMTP_URL) throw new Error("SMTP_URL is not set: lib/env.ts must demand it in production.");
  try {
    await transport(SMTP_URL).sendMail({ from: MAIL_FROM, ...mail });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(message.replace(/\S+@\S+/g, "<email>"));
  }
}

let smtp: Transporter | undefined;
function transport(url: string): Transporter {
  smtp ??= nodemailer.createTransport({
    url: withTls(url),
    connectionTimeout: seconds(10),
    greetingTimeout: seconds(10),
    socketTimeout: seconds(30),
  });
  return smtp;
}

/**
 * Adds nodemailer's own TLS parameters to an SMTP_URL, replacing any that it has. Mails hold links
 * that open accounts, so beyond loopback none is sent to a server without STARTTLS or with a
 * certificate that does not verify (RFC 8314, 4.1), unless the URL says `?tls=optional`: then TLS
 * is used if the server offers it. Without `requireTLS`, an attacker on the network could remove
 * STARTTLS from the server's answer and read the mails.
 */
export function withTls(smtpUrl: string): string {
  const url = new URL(smtpUrl);
  const required =
    url.protocol === "smtps:" ||
    !(isLoopback(url.hostname.toLowerCase()) || url.searchParams.get("tls") === "optional");
  url.searchParams.delete("tls");
  url.searchParams.set("requireTLS", `${required}`);
  // If plain text is accepted too, a certificate that does not verify is no worse.
  url.searchParams.set("tls.rejectUnauthorized", `${required}`);
  return url.href;
}
