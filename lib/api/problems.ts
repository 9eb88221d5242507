import { z } from "zod";
// PROVISIONAL
export const problems = {
  "invalid-json": { status: 400, title: "The body is not JSON." },
  "invalid-token": { status: 401, title: "There is no bearer, or it does not count." },
  "invalid-credentials": { status: 401, title: "Email or password is incorrect." },
  "invalid-refresh-token": { status: 401, title: "This refresh token is dead or unknown." },
  "refresh-token-reused": {
    status: 401,
    title: "This refresh token was used before; its session has ended.",
  },
  "insufficient-scope": { status: 403, title: "The bearer lacks the scope." },
  "not-found": { status: 404, title: "There is nothing here." },
  "too-large": { status: 413, title: "The body is larger than 64 KB." },
  "invalid-input": { status: 422, title: "A field is missing or wrong." },
  "rate-limited": { status: 429, title: "Too many tries." },
} as const;
export type ProblemCode = keyof typeof problems;
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.enum(Object.keys(problems) as ProblemCode[]),
  detail: z.string().optional(),
  errors: z.record(z.string(), z.string()).optional(),
});
export function problem(code: ProblemCode): z.infer<typeof problemSchema> {
  const { status, title } = problems[code];
  return { type: `about:blank`, title, status, code };
}
