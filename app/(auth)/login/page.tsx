import type { Metadata, Route } from "next";
import { redirect } from "next/navigation";
import { Checkbox, Field } from "@/app/_ui/field";
import { Form, Submit } from "@/app/_ui/form";
import { Notice } from "@/app/_ui/notice";
import { PageHeader } from "@/app/_ui/page";
import { Passkey } from "@/app/_ui/passkey";
import { CurrentPassword } from "@/app/_ui/password";
import { ProviderButton } from "@/app/_ui/provider-button";
import { providerNotices } from "@/app/_ui/provider-notices";
import { ReloadStaleTab } from "@/app/_ui/router-cache";
import { sessionPolicy } from "@/lib/auth/policy";
import { safeNext } from "@/lib/http";
import { product } from "@/lib/product";
import { inWords } from "@/lib/time";
import { passkeyChallenge } from "@/lib/web/passkeys";
import { providers } from "@/lib/web/providers";
import { currentSession } from "@/lib/web/session";
import { logIn, logInWithPasskey } from "./actions";

export const metadata: Metadata = { title: "Log in" };

const notices = {
  "logged-out": "You are logged out.",
  "logged-out-everywhere": "You are logged out on every device.",
  "session-ended": { info: "You were logged out on this device. Log in to continue." },
  "browser-confirmed": "This browser is confirmed. You can log in now.",
  "password-reset": "Your new password is set. Log in with it.",
  "email-changed": "Your email is changed. Log in with the new one.",
  "email-restored":
    "Your previous email is restored, and all access is ended. We have sent you a link to set a new password.",
  disowned: "All access is ended. We have sent you a link to set a new password.",
  "disowned-elsewhere": `All access is ended. Your account has a different email now, so we could not send you a link to set a new password. Write to ${product.supportEmail}.`,
  "login-expired": { info: "Your login took too long or had too many wrong codes. Log in again." },
  "passkey-removed": {
    info: "The passkey that you logged in with here was removed. Log in another way.",
  },
  disconnected: {
    info: "The account that you logged in with here is disconnected. Log in another way.",
  },
  "account-deleted": "Your account is deleted.",
};

export default async function LoginPage({ searchParams }: PageProps<"/login">) {
  const { next, notice } = await searchParams;
  const target = safeNext(next);
  const sentences = { ...notices, ...providerNotices(providers()) };
  const session = await currentSession();
  if (session && isAboutAnotherAccount(notice))
    return <OtherAccount email={session.user.email} notice={notice} />;
  // Also recovers a tab whose request was in flight while its session was rotated.
  if (session) redirect(target as Route); // safeNext: a path of this site

  return (
    <>
      <ReloadStaleTab />
      <PageHeader small title="Log in" />
      <Notice notice={notice} sentences={sentences} />
      <Form action={logIn} className="grid gap-4">
        <input type="hidden" name="next" value={target} />
        <Field name="email" label="Email" type="email" autoComplete="username webauthn" />
        <CurrentPassword label="Password" />
        <Checkbox
          name="remember"
          label="Remember me"
          hint={`For ${inWords(sessionPolicy.persistent.absolute)}. Leave this off on a shared computer.`}
        />
        <Submit>Log in</Submit>
        {providers().map(({ id, name }) => (
          <ProviderButton key={id} provider={id} name={name} />
        ))}
      </Form>
      <Form action={logInWithPasskey} className="grid gap-4">
        <input type="hidden" name="next" value={target} />
        <Passkey
          {...passkeyChallenge({ purpose: "log-in", context: "" })}
          autofill
          className="button w-full"
        >
          Log in with a passkey
        </Passkey>
      </Form>
      <div className="flex flex-wrap justify-between gap-x-4 gap-y-2 text-sm text-muted">
        <a href="/forgot-password" className="link">
          Forgot your password?
        </a>
        <p>
          No account yet?{" "}
          <a href="/signup" className="link">
            Sign up
          </a>
        </p>
      </div>
      {/* Next replaces this constant when it bundles, so a production build does not contain
          the element. */}
      {process.env.NODE_ENV !== "production" && <DemoLogIns />}
    </>
  );
}

/**
 * Returns whether the notice is about another account. The mailed link that led here ended its
 * account's sessions, so a live session belongs to another account.
 */
function isAboutAnotherAccount(notice: unknown): notice is keyof typeof notices {
  const linked = ["password-reset", "email-changed", "email-restored", "disowned"];
  return typeof notice === "string" && [...linked, "disowned-elsewhere"].includes(notice);
}

function OtherAccount({ email, notice }: { email: string; notice: keyof typeof notices }) {
  return (
    <>
      <PageHeader small title="Done" />
      <Notice notice={notice} sentences={notices} />
      <p className="text-sm break-words text-muted">
        In this browser you are logged in to another account, {email}. It was not changed.
      </p>
      <div className="flex flex-wrap gap-3">
        <a href="/dashboard" className="button">
          Go to the dashboard
        </a>
        <form method="post" action="/logout">
          <button type="submit" className="button">
            Log out
          </button>
        </form>
      </div>
    </>
  );
}

/** Development only: the demo account, for a new developer's first login. */
function DemoLogIns() {
  return (
    <p className="rounded-md bg-sunken px-3 py-2 text-sm text-muted">
      Demo: <code className="font-mono text-ink">demo@example.com</code> with the password{" "}
      <code className="font-mono text-ink">demo password</code>
    </p>
  );
}
