"use server";

import type { Route } from "next";
import { redirect } from "next/navigation";
import { z } from "zod";
import { rateLimitMessage } from "@/app/_ui/rate-limit-message";
import { database } from "@/lib/db/client";
import { id } from "@/lib/fields";
import { type FormState, formOf, readForm } from "@/lib/form";
import { consume } from "@/lib/rate-limits";
import { makeOwner } from "@/lib/teams/administration";
import { requireSameOrigin } from "@/lib/web/request";
import { requireAdmin } from "@/lib/web/sudo";
import { urlFor } from "../../../search-params";

const schema = z.object({ id, user: id });

export async function makeTeamOwner(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const path = teamPath(formOf(form).get("id"), "confirmed");
  const session = await requireAdmin(path, { form: "make-owner", values: {} });
  const read = readForm(schema, form);
  if (!read.ok) redirect("/admin/teams?notice=team-gone");
  const taken = await consume(database(), "administerPerUser", session.userId);
  if (!taken.ok) return { message: rateLimitMessage(taken.retryAfter) };

  const made = await makeOwner(database(), session, read.data.id, read.data.user);
  redirect(teamPath(read.data.id, made.ok ? "owner-made" : made.reason));
}

function teamPath(team: unknown, notice: string): Route {
  return urlFor(`/admin/teams/${encodeURIComponent(`${team}`)}`, { notice });
}
