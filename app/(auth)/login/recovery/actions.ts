"use server";

import { z } from "zod";
import { code } from "@/lib/fields";
import { type FormState, readForm } from "@/lib/form";
import { safeNext } from "@/lib/http";
import { requireSameOrigin } from "@/lib/web/request";
import { finish } from "../finish";

const schema = z.object({ recoveryCode: code, next: z.string().optional() });

export async function enterRecoveryCode(_previous: FormState, form: FormData): Promise<FormState> {
  await requireSameOrigin();
  const read = readForm(schema, form);
  if (!read.ok) return read.state;
  return finish("recoveryCode", read.data.recoveryCode, safeNext(read.data.next));
}
