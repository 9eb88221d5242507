"use server";

import type { Route } from "next";
import { redirect } from "next/navigation";
import { z } from "zod";
import { currentClient, presentedToken, requireSameOrigin, startSession } from "@/lib/auth/current";
import * as auth from "@/lib/auth/login";
import { database } from "@/lib/db/client";
import { checkbox, email, password } from "@/lib/fields";
import { type FormState, readForm, typedValues } from "@/lib/form";
import { safeNext } from "@/lib/http";

const schema = z.object({ email, password, remember: checkbox, next: z.string().optional() });

const refusals = {
  incorrect: "Email or password is incorrect.",
  suspended: "This account is suspended. Write to us if you think this is a mistake.",
};

export async function logIn(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const read = readForm(schema, form);
  if (!read.ok) return read.state;

  const { remember: persistent, next, ...credentials } = read.data;
  const result = await auth.logIn(database(), {
    ...credentials,
    persistent,
    presented: await presentedToken(),
    client: await currentClient(),
  });

  if (!result.ok) return { message: refusals[result.reason], values: typedValues(schema, form) };
  await startSession(result.token, persistent);
  redirect(safeNext(next) as Route); // safeNext: a path of this site
}
