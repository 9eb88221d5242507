import { z } from "zod";

/*
 * The error responses of the API: RFC 9457 problems. A published code never changes, because
 * programs depend on it. Titles are for developers who read logs.
 */
export const problems = {
  "invalid-json": { status: 400, title: "The body is not JSON." },
  "invalid-scope": { status: 400, title: "The API key does not have this scope." },
  "invalid-token": { status: 401, title: "Missing, invalid or expired bearer token." },
  "invalid-credentials": { status: 401, title: "Email or password is incorrect." },
  "second-factor-required": {
    status: 401,
    title: "The account has two-factor: send a new code from its app, or a recovery code, as otp.",
  },
  "invalid-refresh-token": { status: 401, title: "Invalid or expired refresh token." },
  "refresh-token-reused": {
    status: 401,
    title: "This refresh token was already used; its session has ended.",
  },
  "account-suspended": { status: 403, title: "This account is suspended." },
  "browser-confirmation-required": {
    status: 403,
    title: "Too many failed logins to this account. Its user must open a link from an email first.",
  },
  "foreign-origin": { status: 403, title: "Cross-site request refused." },
  "insufficient-scope": {
    status: 403,
    title: "The bearer token does not have the scope that this requires.",
  },
  "session-required": { status: 403, title: "This route requires an app's access token." },
  "confirmation-required": {
    status: 403,
    title: "This requires a recent proof of identity: POST /api/v1/token/confirm first.",
  },
  "strong-proof-required": {
    status: 403,
    title:
      "The team requires a second factor: use a key of the team, or an app that has logged in with otp.",
  },
  "plan-limit-reached": { status: 403, title: "The plan of the team allows no more of these." },
  "insufficient-role": { status: 403, title: "The user's role in the team does not allow this." },
  "not-found": { status: 404, title: "Not found." },
  "too-large": { status: 413, title: "The body is larger than 64 KB." },
  "unsupported-media-type": { status: 415, title: "The body must be application/json." },
  "invalid-input": { status: 422, title: "A field is missing, wrong or unknown." },
  "rate-limited": { status: 429, title: "Too many requests." },
  unavailable: { status: 503, title: "The database does not answer. Try again in a moment." },
} as const;

export type ProblemCode = keyof typeof problems;

export const problemSchema = z.object({
  type: z.string().meta({ description: "Always about:blank. The code says which problem it is." }),
  title: z.string(),
  status: z.int(),
  code: z.enum(Object.keys(problems) as [ProblemCode, ...ProblemCode[]]),
  detail: z.string().optional(),
  errors: z
    .record(z.string(), z.string())
    .optional()
    .meta({ description: "What is wrong, by field." }),
});

/** What a response contains besides the code: more of the body, and headers. */
export type ProblemExtras = {
  detail?: string;
  errors?: Record<string, string>;
  headers?: Record<string, string>;
};

export function problem(
  code: ProblemCode,
  extras: Pick<ProblemExtras, "detail" | "errors"> = {},
): z.infer<typeof problemSchema> {
  const { status, title } = problems[code];
  return { type: "about:blank", title, status, code, ...extras };
}

/** Thrown by functions that a route calls; `answer` in app/api/_answer.ts makes the response. */
export class Problem extends Error {
  override name = "Problem";
  constructor(
    readonly code: ProblemCode,
    readonly extras: ProblemExtras = {},
  ) {
    super(problems[code].title);
  }
}
