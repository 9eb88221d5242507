import type { Metadata } from "next";
import { Field } from "@/app/_ui/field";
import { Form, Submit } from "@/app/_ui/form";
import { Link } from "@/app/_ui/link";
import { PageHeader } from "@/app/_ui/page";
import { QrCode } from "@/app/_ui/qr";
import { BeforeReveal, Reveal } from "@/app/_ui/reveal";
import { base32, otpauthUri } from "@/lib/auth/credentials/totp";
import { findStartedApp } from "@/lib/auth/credentials/two-factor";
import { parseSealingKeys } from "@/lib/auth/sealing";
import { database } from "@/lib/db/client";
import { env } from "@/lib/env";
import { product } from "@/lib/product";
import { requireSudo } from "@/lib/web/sudo";
import { turnOnTwoFactor } from "./actions";

export const metadata: Metadata = { title: "Set up your app" };

/**
 * The same form, whether an app waits for its code or was just confirmed. The response with the
 * recovery codes belongs to the form at this position, also without JavaScript.
 */
export default async function AppPage() {
  const session = await requireSudo("/settings/two-factor/app");
  const keys = parseSealingKeys(env().ENCRYPTION_KEYS);
  const secret = await findStartedApp(database(), session, keys);
  return (
    <>
      <PageHeader title="Set up your app" />
      <Form action={turnOnTwoFactor} className="card grid gap-5 p-5 sm:p-6">
        <Reveal label="Two-factor is on. Save your recovery codes" file="recovery-codes.txt">
          Keep them where you can find them without your phone: each logs you in once if you lose
          it. They are not shown again.
        </Reveal>
        <BeforeReveal>
          {secret ? <Steps secret={secret} email={session.user.email} /> : <Nothing />}
        </BeforeReveal>
      </Form>
      <Link href="/settings/two-factor" className="link justify-self-start text-sm">
        Back to two-factor
      </Link>
    </>
  );
}

function Steps({ secret, email }: { secret: Buffer; email: string }) {
  const key = base32(secret).match(/.{1,4}/g) ?? [];
  return (
    <>
      <div className="grid gap-3">
        <p className="text-sm">
          Scan this with your authenticator app, or enter the key by hand. Then enter the code that
          the app shows.
        </p>
        <QrCode text={otpauthUri(secret, product.name, email)} label="QR image of the key" />
        <p className="text-sm text-muted">
          Key: <code className="font-mono text-ink select-all">{key.join(" ")}</code>
        </p>
      </div>
      <div className="grid max-w-md gap-4">
        <Field
          name="code"
          label="Code"
          hint="6 digits"
          inputMode="numeric"
          autoComplete="one-time-code"
          maxLength={100}
        />
        <Submit className="button-primary justify-self-start">Turn on</Submit>
      </div>
      <p className="text-sm text-muted">
        If you lose your phone and the recovery codes that you get next, only {product.supportEmail}{" "}
        can turn two-factor off for you.
      </p>
    </>
  );
}

function Nothing() {
  return (
    <p className="text-sm">
      There is no app to set up. Start on the page{" "}
      <Link href="/settings/two-factor" className="link">
        Two-factor
      </Link>
      .
    </p>
  );
}
