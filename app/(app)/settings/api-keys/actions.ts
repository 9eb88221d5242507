"use server";

import { revalidatePath } from "next/cache";
import { redirect } from "next/navigation";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { apiKeyPolicy } from "@/lib/auth/policy";
import { createApiKey, revokeApiKey, type Scope, scopes } from "@/lib/auth/tokens/api-keys";
import { database } from "@/lib/db/client";
import { checkbox, id, label } from "@/lib/fields";
import { type FormState, readForm, typedValues } from "@/lib/form";
import { consume } from "@/lib/rate-limits";
import { requireSameOrigin } from "@/lib/web/request";
import { requireSession } from "@/lib/web/session";
import { requireSudo } from "@/lib/web/sudo";

const lifetimes = [...apiKeyPolicy.lifetimes.map(String), "none"];

const newKey = z
  .object({
    name: label,
    "profile:read": checkbox,
    "sessions:read": checkbox,
    "sessions:write": checkbox,
    "teams:read": checkbox,
    "projects:read": checkbox,
    "projects:write": checkbox,
    expires: z.enum(lifetimes, "Choose when the key expires."),
  } satisfies Record<Scope | "name" | "expires", z.ZodType>)
  .refine((typed) => scopes.some((scope) => typed[scope]), {
    path: ["scopes"],
    message: "Choose at least one thing the key may do.",
  });

export async function createKey(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const values = typedValues(newKey, form);
  const session = await requireSudo("/settings/api-keys", { form: "create-key", values });
  const read = readForm(newKey, form);
  if (!read.ok) return read.state;
  const { name, expires, ...ticked } = read.data;

  const taken = await consume(database(), "apiKeyPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter), values };

  const created = await createApiKey(database(), session, {
    name,
    scopes: scopes.filter((scope) => ticked[scope]),
    lifetime: expires === "none" ? null : Number(expires),
  });

  if (created.ok) {
    revalidatePath("/settings/api-keys");
    return { reveal: created.key };
  }
  if (created.reason === "session-ended") redirect("/login?next=%2Fsettings%2Fapi-keys");
  const { keysPerUser } = apiKeyPolicy;
  return { message: `You have ${keysPerUser} keys. Revoke one that you no longer need.`, values };
}

const schema = z.object({ id });

/** Needs no fresh proof of identity, because it only takes access away. */
export async function revokeKey(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSession("/settings/api-keys");
  const read = readForm(schema, form);
  if (!read.ok) redirect("/settings/api-keys?notice=key-gone");

  const taken = await consume(database(), "endPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const revoked = await revokeApiKey(database(), session, read.data.id);
  redirect(`/settings/api-keys?notice=${revoked ? "key-revoked" : "key-gone"}`);
}
