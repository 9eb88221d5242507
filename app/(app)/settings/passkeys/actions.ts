"use server";

import { redirect } from "next/navigation";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import * as auth from "@/lib/auth/account/passkey-change";
import * as passkeys from "@/lib/auth/credentials/passkeys";
import { database } from "@/lib/db/client";
import { credential, id, label } from "@/lib/fields";
import { type FormState, readForm } from "@/lib/form";
import { consume } from "@/lib/rate-limits";
import { deleteSessionCookie, presentedToken, setSessionCookie } from "@/lib/web/cookies";
import { passkeyChallenge, passkeySite } from "@/lib/web/passkeys";
import { requireSameOrigin } from "@/lib/web/request";
import { requireSession } from "@/lib/web/session";
import { requireSudo } from "@/lib/web/sudo";
import { waysHere } from "@/lib/web/ways-here";

const schema = z.object({ credential });
const renaming = z.object({ id, name: label });
const removal = z.object({ id });

const refusals = {
  incorrect: "This passkey was not accepted. Try again.",
  expired: "This took too long. Try again.",
  taken: "This passkey belongs to an account already.",
  "too-many": "You have too many passkeys. Remove one that you do not use.",
};

export async function addPasskey(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSudo("/settings/passkeys?notice=confirmed", {
    ...{ form: "passkeys", values: {} },
  });
  const presented = await presentedToken();
  const passkey = passkeyChallenge(auth.addingPasskey(session));
  const read = readForm(schema, form);
  if (!read.ok) return { message: read.state.errors?.credential, passkey };
  const taken = await consume(database(), "passkeyPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter), passkey };

  const added = await auth.addPasskey(database(), session, {
    ...{ presented: presented ?? "", answer: read.data.credential, site: passkeySite() },
  });
  if (added.ok) {
    await setSessionCookie(added.token, session.persistent);
    redirect("/settings/passkeys?notice=added");
  }
  if (added.reason === "weak" || added.reason === "ended")
    redirect("/confirm?next=%2Fsettings%2Fpasskeys%3Fnotice%3Dconfirmed&strong=1");
  return { message: refusals[added.reason], passkey };
}

export async function renamePasskey(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSession("/settings/passkeys");
  const read = readForm(renaming, form);
  if (!read.ok) return read.state;
  const taken = await consume(database(), "passkeyPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const { id, name } = read.data;
  const renamed = await passkeys.renamePasskey(database(), session, id, name);
  redirect(`/settings/passkeys?notice=${renamed ? "renamed" : "gone"}`);
}

export async function removePasskey(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSudo("/settings/passkeys?notice=confirmed", {
    ...{ form: "passkeys", values: {} },
  });
  const read = readForm(removal, form);
  if (!read.ok) redirect("/settings/passkeys?notice=gone");
  const taken = await consume(database(), "passkeyPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const removed = await auth.removePasskey(database(), session, read.data.id, waysHere());
  if (removed.ok && removed.ended) {
    await deleteSessionCookie();
    redirect("/login?notice=passkey-removed");
  }
  redirect(`/settings/passkeys?notice=${removed.ok ? "removed" : removed.reason}`);
}
