"use server";

import { revalidatePath } from "next/cache";
import { redirect } from "next/navigation";
import { z } from "zod";
import { requireSameOrigin, requireSession } from "@/lib/auth/current";
import { changeName } from "@/lib/auth/users";
import { database } from "@/lib/db/client";
import { name } from "@/lib/fields";
import { type FormState, readForm } from "@/lib/form";

const schema = z.object({ name });

export async function saveProfile(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const session = await requireSession("/settings/profile");
  const read = readForm(schema, form);
  if (!read.ok) return read.state;

  await changeName(database(), session, read.data.name);
  // The shell shows the name too, and the browser would keep the one it has.
  revalidatePath("/", "layout");
  redirect("/settings/profile?notice=saved");
}
