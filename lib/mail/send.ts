import nodemailer, { type Transporter } from "nodemailer";
import { env, hasMailbox } from "@/lib/env";
import { isLoopback } from "@/lib/http";
import { seconds } from "@/lib/time";
import type { Mail } from "./layout";

/**
 * Sends over SMTP_URL; without one, which is development only, keeps the mail for /dev/mailbox.
 * Throws when the server does not take it; the error names no email, because it is kept in the queue
 * and goes to the log, and servers like to repeat the one they refuse. Call it after the response, so
 * that its time does not tell whether an email has an account.
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
 * An SMTP_URL with what nodemailer must do about TLS, in nodemailer's own parameters, which replace
 * any that the URL has. Mails hold links that open accounts, so beyond loopback a server without
 * STARTTLS or with a certificate that does not verify gets none (RFC 8314, 4.1), unless the URL says
 * `?tls=optional`: then TLS is used where it is offered. Without `requireTLS`, an attacker on the
 * line removes STARTTLS from the server's answer and reads along.
 */
export function withTls(smtpUrl: string): string {
  const url = new URL(smtpUrl);
  const required =
    url.protocol === "smtps:" ||
    !(isLoopback(url.hostname.toLowerCase()) || url.searchParams.get("tls") === "optional");
  url.searchParams.delete("tls");
  url.searchParams.set("requireTLS", `${required}`);
  // Where plain text is accepted too, a certificate that does not verify is no worse.
  url.searchParams.set("tls.rejectUnauthorized", `${required}`);
  return url.href;
}
