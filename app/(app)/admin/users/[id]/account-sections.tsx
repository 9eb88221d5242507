import { Field, Select } from "@/app/_ui/field";
import { Form, Submit } from "@/app/_ui/form";
import { countOf } from "@/app/_ui/format";
import { Section } from "@/app/_ui/page";
import { Time } from "@/app/_ui/time";
import type { UserDetail } from "@/lib/admin/users";
import { draft } from "@/lib/web/drafts";
import {
  changeRole,
  reinstateUser,
  removeUserPasskeys,
  sendUserResetLink,
  suspendUser,
  turnOffUserTwoFactor,
} from "./actions";

/* The sections of a user's page with which an administrator changes the account. */

export async function RoleSection({ user }: { user: UserDetail }) {
  return (
    <Section
      title="Role"
      description="An admin can see and change everything on these pages. A change applies from the user's next request."
    >
      <Form
        action={changeRole}
        draft={await draftFor(user, "change-role")}
        className="grid max-w-md gap-4"
      >
        <input type="hidden" name="user" value={user.id} />
        <Select
          name="role"
          label="Role"
          options={{ user: "User", admin: "Admin" }}
          defaultValue={user.role}
        />
        <Submit className="button justify-self-start">Change role</Submit>
      </Form>
    </Section>
  );
}

export async function StatusSection({ user }: { user: UserDetail }) {
  if (user.status === "suspended")
    return (
      <Section
        title="Suspended"
        description={user.suspensionReason ? `“${user.suspensionReason}”` : "No reason was given."}
      >
        <Form action={reinstateUser} className="grid gap-4">
          <input type="hidden" name="user" value={user.id} />
          <Submit className="button justify-self-start">Reinstate</Submit>
        </Form>
      </Section>
    );
  return (
    <Section
      tone="danger"
      title="Suspend"
      description="Logs the user out on every device, revokes their API keys and links, and blocks login until they are reinstated. The user is told by email; only administrators see the reason."
    >
      <Form
        action={suspendUser}
        draft={await draftFor(user, "suspend")}
        className="grid max-w-md gap-4"
      >
        <input type="hidden" name="user" value={user.id} />
        <Field name="reason" label="Reason" maxLength={300} autoComplete="off" />
        <Submit className="button-danger justify-self-start">Suspend</Submit>
      </Form>
    </Section>
  );
}

export function PasswordSection({ user, password }: { user: UserDetail; password: boolean }) {
  return (
    <Section
      title="Password"
      description={`${password ? "" : "The account has no password. "}Emails a link to choose a new password to ${user.email}. You do not see the link.`}
    >
      <Form action={sendUserResetLink} className="grid gap-4">
        <input type="hidden" name="user" value={user.id} />
        <Submit className="button justify-self-start">Send reset link</Submit>
      </Form>
    </Section>
  );
}

export function PasskeysSection({ user, count }: { user: UserDetail; count: number }) {
  return (
    <Section
      tone="danger"
      title="Passkeys"
      description="For a user who lost their devices. Make sure that it is the user who asks: afterwards, their password or a link to their email is enough to log in. They are logged out everywhere and told by email."
    >
      <div className="grid gap-4">
        <p className="text-sm">{countOf(count, "passkey")}.</p>
        <Form action={removeUserPasskeys}>
          <input type="hidden" name="user" value={user.id} />
          <Submit className="button-danger">Remove passkeys</Submit>
        </Form>
      </div>
    </Section>
  );
}

export function TwoFactorSection({
  user,
  since,
  recoveryCodes,
}: {
  user: UserDetail;
  since: Date;
  recoveryCodes: number;
}) {
  return (
    <Section
      tone="danger"
      title="Two-factor"
      description="For a user who lost their phone and recovery codes. Make sure that it is the user who asks: afterwards, logging in takes no code. They are logged out everywhere and told by email."
    >
      <div className="grid gap-4">
        <p className="text-sm">
          On since <Time at={since} />, {countOf(recoveryCodes, "recovery code")} left.
        </p>
        <Form action={turnOffUserTwoFactor}>
          <input type="hidden" name="user" value={user.id} />
          <Submit className="button-danger">Turn off two-factor</Submit>
        </Form>
      </div>
    </Section>
  );
}

/** Returns the draft of this form if it was typed on this user's page, not on another user's. */
async function draftFor(user: UserDetail, form: string) {
  const kept = await draft(form);
  return kept?.values.user === user.id ? kept : undefined;
}
