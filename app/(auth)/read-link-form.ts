import type { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { database } from "@/lib/db/client";
import { type FormState, readForm, typedValues } from "@/lib/form";
import type { Client } from "@/lib/http";
import { consume, network } from "@/lib/rate-limits";
import { currentClient, redirectIfUnreachable } from "@/lib/web/request";

export type LinkForm<T> = { ok: true; data: T; client: Client } | { ok: false; state: FormState };

/**
 * The first step of every action behind a mailed link, after `requireSameOrigin`: reads the form
 * and counts one attempt for the caller's network. The link itself is the authorization.
 */
export async function readLinkForm<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  form: FormData,
): Promise<LinkForm<z.infer<z.ZodObject<Shape>>>> {
  const read = readForm(schema, form);
  if (!read.ok) return read;

  const client = await currentClient();
  const taken = await consume(database(), "redeemPerAddress", network(client.ip)).catch(
    redirectIfUnreachable,
  );
  if (taken.ok) return { ok: true, data: read.data, client };
  const message = rateLimitMessage(taken.retryAfter);
  return { ok: false, state: { message, values: typedValues(schema, form) } };
}
