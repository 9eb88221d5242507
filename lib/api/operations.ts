import { z } from "zod";
import type { Scope } from "@/lib/auth/api-keys";
import type { ProblemCode } from "./problems";

/*
 * Owns what the document says of each route, beside the schemas that the routes validate with.
 * A new route wants an entry here: tests/e2e/openapi.spec.ts compares with the build.
 */

export type Operation = {
  id: string;
  method: "get" | "post" | "delete";
  path: string;
  tag: "Tokens" | "Account";
  summary: string;
  description: string;
  bearer: ("accessToken" | "apiKey")[];
  /** What a key, or a token made with one, must be allowed. */
  scope?: Scope;
  parameters?: { name: string; description: string; schema: z.ZodType; example: string }[];
  request?: { name: string; schema: z.ZodType; example: unknown };
  answer:
    | { status: 200; description: string; name: string; schema: z.ZodType; example: unknown }
    | { status: 204; description: string; name?: undefined };
  problems: ProblemCode[];
};

const tokens = z.object({
  access_token: z.string().meta({ description: "Send it as bearer." }),
  token_type: z.literal("Bearer"),
  expires_in: z.int().meta({ description: "Seconds." }),
  refresh_token: z.string(),
  refresh_expires_in: z.int(),
});
const serviceToken = z.object({
  access_token: z.string(),
  token_type: z.literal("Bearer"),
  expires_in: z.int(),
  scope: z.string().meta({ description: "What the token may do: the key's scopes, with spaces." }),
});
const me = z.object({
  id: z.uuid(),
  email: z.string(),
  name: z.string(),
  role: z.enum(["user", "admin"]),
  session: z.object({ id: z.uuid() }).optional(),
  api_key: z.object({ id: z.uuid(), scopes: z.array(z.string()) }).optional(),
});
const device = z.object({
  id: z.uuid(),
  kind: z.enum(["web", "app"]),
  device: z.string(),
  ip: z.string().nullable(),
  created_at: z.iso.datetime(),
  last_seen_at: z.iso.datetime(),
  current: z.boolean(),
});
const newToken = z.object({
  email: z.string(),
  password: z.string(),
  device_name: z.string().optional(),
});
const refresh = z.object({ refresh_token: z.string() });

const body: ProblemCode[] = ["invalid-json", "too-large", "invalid-input"];
const sessionId = "7f9c2f4e-3b1a-4c57-9a53-0f6f1a2d7b10";
const accessToken = "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiI…";
const refreshToken = "3lY0bS6m1oTq0cQ5nXb8m1B3iC2tqkUq3n5Zr0k4a6E";

export const operations: Operation[] = [
  {
    id: "createToken",
    method: "post",
    path: "/api/v1/token",
    tag: "Tokens",
    summary: "Log in an app",
    description: "Makes a session of an app, which its user sees among their devices.",
    bearer: [],
    request: {
      name: "NewToken",
      schema: newToken,
      example: { email: "demo@example.com", password: "demo password", device_name: "Ada's phone" },
    },
    answer: {
      status: 200,
      description: "Logged in.",
      name: "Tokens",
      schema: tokens,
      example: {
        access_token: accessToken,
        token_type: "Bearer",
        expires_in: 600,
        refresh_token: refreshToken,
        refresh_expires_in: 2592000,
      },
    },
    problems: [...body, "invalid-credentials", "rate-limited"],
  },
  {
    id: "refreshToken",
    method: "post",
    path: "/api/v1/token/refresh",
    tag: "Tokens",
    summary: "Refresh",
    description: "The next pair of tokens.",
    bearer: [],
    request: { name: "RefreshToken", schema: refresh, example: { refresh_token: refreshToken } },
    answer: {
      status: 200,
      description: "The next pair.",
      name: "Tokens",
      schema: tokens,
      example: {
        access_token: accessToken,
        token_type: "Bearer",
        expires_in: 600,
        refresh_token: refreshToken,
        refresh_expires_in: 2592000,
      },
    },
    problems: [...body, "invalid-refresh-token", "refresh-token-reused", "rate-limited"],
  },
  {
    id: "getMe",
    method: "get",
    path: "/api/v1/me",
    tag: "Account",
    summary: "Who am I",
    description: "The user whose bearer this is.",
    bearer: ["accessToken", "apiKey"],
    scope: "profile:read",
    answer: {
      status: 200,
      description: "The user.",
      name: "Me",
      schema: me,
      example: {
        id: sessionId,
        email: "demo@example.com",
        name: "Demo",
        role: "user",
        session: { id: sessionId },
      },
    },
    problems: ["invalid-token", "insufficient-scope"],
  },
  {
    id: "listSessions",
    method: "get",
    path: "/api/v1/sessions",
    tag: "Account",
    summary: "List devices",
    description: "Where the user is logged in, the newest activity first.",
    bearer: ["accessToken", "apiKey"],
    scope: "sessions:read",
    answer: {
      status: 200,
      description: "The devices.",
      name: "Sessions",
      schema: z.array(device),
      example: [
        {
          id: sessionId,
          kind: "web",
          device: "Chrome on Linux",
          ip: "203.0.113.7",
          created_at: "2026-03-01T12:30:00.000Z",
          last_seen_at: "2026-03-02T08:00:00.000Z",
          current: true,
        },
      ],
    },
    problems: ["invalid-token", "insufficient-scope"],
  },
  {
    id: "endSession",
    method: "delete",
    path: "/api/v1/sessions/{id}",
    tag: "Account",
    summary: "Log out a device",
    description: "Ends the session at once.",
    bearer: ["accessToken", "apiKey"],
    scope: "sessions:write",
    parameters: [
      { name: "id", description: "The device's.", schema: z.uuid(), example: sessionId },
    ],
    answer: { status: 204, description: "It is logged out." },
    problems: ["invalid-token", "insufficient-scope", "not-found", "rate-limited"],
  },
];
