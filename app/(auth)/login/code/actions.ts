"use server";

import { z } from "zod";
import { code } from "@/lib/fields";
import { type FormState, readForm } from "@/lib/form";
import { safeNext } from "@/lib/http";
import { requireSameOrigin } from "@/lib/web/request";
import { finish } from "../finish";

const schema = z.object({ code, next: z.string().optional() });

export async function enterCode(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const read = readForm(schema, form);
  if (!read.ok) return read.state;
  return finish("code", read.data.code, safeNext(read.data.next));
}
