import type { Metadata } from "next";
import { Form, Submit } from "@/app/_ui/form";
import { Notice } from "@/app/_ui/notice";
import { Badge, PageHeader, Section } from "@/app/_ui/page";
import { Reveal } from "@/app/_ui/reveal";
import { Time } from "@/app/_ui/time";
import { hasOtherStrongWay } from "@/lib/auth/credentials/last-way-in";
import { findTwoFactor } from "@/lib/auth/credentials/two-factor";
import { twoFactorPolicy } from "@/lib/auth/policy";
import { database } from "@/lib/db/client";
import { requireSession } from "@/lib/web/session";
import { waysHere } from "@/lib/web/ways-here";
import { renewRecoveryCodes, setUpTwoFactor, turnOffTwoFactor } from "./actions";

export const metadata: Metadata = { title: "Two-factor" };

const notices = {
  off: "Two-factor is off. All other devices are logged out.",
  admin: {
    info: "Administrators need a passkey or two-factor. Set one up, then open the admin pages again.",
  },
  team: {
    info: "This team requires more than a password. Set up two-factor here, or add a passkey, then open the team again.",
  },
  "team-owner": {
    info: "Before a team can require more than a password, you need more yourself: otherwise you would lock yourself out. Set up two-factor here, or add a passkey, then open the team again.",
  },
  "team-deletion": {
    info: "A team that would be deleted with your account requires more than a password. Set up two-factor here, or add a passkey, then try again to delete your account.",
  },
  confirmed: {
    info: "You have confirmed that it is you. Nothing has been done yet: press the button again.",
  },
  "recovery-code-used": {
    info: "You logged in with a recovery code. Lost your app? Set it up again.",
  },
};

export default async function TwoFactorPage({ searchParams }: PageProps<"/settings/two-factor">) {
  const session = await requireSession("/settings/two-factor");
  const { notice } = await searchParams;
  const twoFactor = await findTwoFactor(database(), session.userId);
  const isDemanded =
    session.user.role === "admin" &&
    !(await hasOtherStrongWay(database(), session.userId, "two-factor", waysHere()));
  return (
    <>
      <PageHeader title="Two-factor">
        With two-factor, logging in also takes a code from an app on your phone, unless you use a
        passkey. An attacker who learns your password, or reads your email, cannot log in.
      </PageHeader>
      <Notice notice={notice} sentences={notices} />
      {twoFactor ? <On {...twoFactor} isDemanded={isDemanded} /> : <Off />}
    </>
  );
}

function Off() {
  return (
    <Section
      title="Two-factor is off"
      description="You need an authenticator app, such as the one on your phone or in your password manager. All other devices are logged out when you turn it on."
    >
      <Form action={setUpTwoFactor}>
        <Submit className="button-primary">Set up</Submit>
      </Form>
    </Section>
  );
}

function On({
  since,
  recoveryCodes,
  isDemanded,
}: {
  since: Date;
  recoveryCodes: number;
  isDemanded: boolean;
}) {
  const { count } = twoFactorPolicy.recoveryCodes;
  return (
    <>
      <Section title="Authenticator app">
        <div className="grid gap-4">
          <p className="flex flex-wrap items-center gap-2 text-sm">
            <Badge>On</Badge>
            <span className="text-muted">
              since <Time at={since} />
            </span>
          </p>
          <Form action={setUpTwoFactor} className="grid gap-2">
            <p className="text-sm text-muted">
              The app you use now keeps working until the new one is confirmed.
            </p>
            <Submit className="button justify-self-start">Use another app</Submit>
          </Form>
        </div>
      </Section>
      <Section
        title="Recovery codes"
        description="For logging in without your phone. Each works once, in place of a code."
      >
        <div className="grid gap-4">
          <p className="flex flex-wrap items-center gap-2 text-sm">
            {recoveryCodes} of {count} recovery codes left
            {recoveryCodes <= 2 && <Badge tone="danger">Make new ones</Badge>}
          </p>
          <Form action={renewRecoveryCodes} className="grid gap-4">
            <Reveal label="Your recovery codes" file="recovery-codes.txt">
              Keep them where you can find them without your phone. They are not shown again.
            </Reveal>
            <Submit className="button justify-self-start">New recovery codes</Submit>
          </Form>
        </div>
      </Section>
      {!isDemanded && (
        <Section
          tone="danger"
          title="Turn off"
          description="Logging in will no longer take a code. All other devices are logged out."
        >
          <Form action={turnOffTwoFactor} className="grid gap-4">
            <Submit className="button-danger justify-self-start">Turn off</Submit>
          </Form>
        </Section>
      )}
    </>
  );
}
