"use server";

import { redirect } from "next/navigation";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { disconnectIdentity } from "@/lib/auth/account/connected-accounts";
import { database } from "@/lib/db/client";
import { id } from "@/lib/fields";
import { type FormState, readForm } from "@/lib/form";
import { consume } from "@/lib/rate-limits";
import { deleteSessionCookie } from "@/lib/web/cookies";
import { requireSameOrigin } from "@/lib/web/request";
import { requireSudo } from "@/lib/web/sudo";
import { waysHere } from "@/lib/web/ways-here";

const schema = z.object({ id });

export async function disconnectAccount(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSudo("/settings/connected-accounts?notice=confirmed", {
    ...{ form: "connected-accounts", values: {} },
  });
  const read = readForm(schema, form);
  if (!read.ok) return { message: "This account is not connected." };
  const taken = await consume(database(), "connectPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const result = await disconnectIdentity(database(), session, read.data.id, waysHere());
  if (!result.ok && result.reason === "only-way")
    return {
      message: "This is your only way to log in.",
      help: { href: "/forgot-password", label: "Set a password by email first" },
    };
  if (!result.ok && result.reason === "ended") redirect("/login");
  if (result.ok && result.ended) {
    await deleteSessionCookie();
    redirect("/login?notice=disconnected");
  }
  redirect("/settings/connected-accounts?notice=disconnected");
}
