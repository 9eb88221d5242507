import { z } from "zod";
import { logInPolicy, sudoPolicy, tokenPolicy } from "@/lib/auth/policy";
import type { Scope } from "@/lib/auth/tokens/api-keys";
import { inWords } from "@/lib/time";
import type { ProblemCode } from "./problems";
import {
  addedNote,
  confirmation,
  devices,
  me,
  newNote,
  newProject,
  newServiceToken,
  newToken,
  notes,
  page,
  project,
  projectChange,
  projects,
  refresh,
  serviceToken,
  teams,
  tokens,
} from "./schemas";

/*
 * Describes each route for the OpenAPI document, beside the schemas that the routes validate with.
 * A new route needs an entry here: tests/e2e/thorough/openapi.spec.ts compares it with the build.
 */

export type Operation = {
  id: string;
  method: "get" | "post" | "patch" | "delete";
  path: string;
  tag: "Tokens" | "Account" | "Teams" | "Projects";
  summary: string;
  description: string;
  bearer: ("accessToken" | "apiKey" | "teamKey")[];
  /** The scope that a key, or a token made with one, must have. */
  scope?: Scope;
  parameters?: { name: string; description: string; schema: z.ZodType; example: string }[];
  /** The query parameters. */
  query?: { schema: z.ZodObject; examples: Record<string, string> };
  /** `optional`: a request without a body counts as `{}`. */
  request?: { name: string; schema: z.ZodType; example: unknown; optional?: true };
  answer:
    | { status: 200 | 201; description: string; name: string; schema: z.ZodType; example: unknown }
    | { status: 204; description: string; name?: undefined };
  problems: ProblemCode[];
};

const body: ProblemCode[] = [
  "invalid-json",
  "too-large",
  "unsupported-media-type",
  "invalid-input",
];
const proof = inWords(sudoPolicy.submit);
const sessionId = "7f9c2f4e-3b1a-4c57-9a53-0f6f1a2d7b10";
const accessToken = "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiI…";
const refreshToken = "3lY0bS6m1oTq0cQ5nXb8m1B3iC2tqkUq3n5Zr0k4a6E";

const team = {
  name: "team",
  description: "The handle of the team, as in the URLs of its pages.",
  schema: z.string(),
  example: "h3k9x2m7qa",
};
const projectId = {
  ...{ name: "id", description: "The project's id.", schema: z.uuid() },
  example: "0b9c7b1e-5f0a-4f6e-9d57-2f4f3c1d8a11",
};
const paging = { schema: page, examples: { cursor: `1772368200000000.${sessionId}`, limit: "20" } };
const website = {
  ...{ id: projectId.example, name: "Website", archived: false },
  created_at: "2026-03-01T12:30:00.000Z",
};
const quote = {
  ...{ id: sessionId, body: "Ask for a quote.", author: "Ada" },
  created_at: "2026-03-02T08:00:00.000Z",
};

/** Problems that every route of a team can answer with. */
const ofTeam: ProblemCode[] = [
  "invalid-token",
  "insufficient-scope",
  "strong-proof-required",
  "not-found",
];

export const operations: Operation[] = [
  {
    id: "createToken",
    method: "post",
    path: "/api/v1/token",
    tag: "Tokens",
    summary: "Log in an app",
    description: `Creates an app session, which the user sees in the list of devices. After ${logInPolicy.failures} failed logins in a row to one email, from apps and unknown browsers together, the answer is browser-confirmation-required: the app can log in after the user has asked for a link at /confirm-browser and opened it. If the account has two-factor, the answer without otp is second-factor-required: ask the user for a code, and send the request again with it as otp. An account without a password gets the same answer as a wrong password: its apps must use an API key.`,
    bearer: [],
    request: {
      name: "NewToken",
      schema: newToken,
      example: { email: "demo@example.com", password: "demo password", device_name: "Pixel 9" },
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
    problems: [
      ...body,
      ...(["invalid-credentials", "second-factor-required", "account-suspended"] as const),
      ...(["browser-confirmation-required", "rate-limited"] as const),
    ],
  },
  {
    id: "refreshToken",
    method: "post",
    path: "/api/v1/token/refresh",
    tag: "Tokens",
    summary: "Refresh",
    description: `Exchanges the refresh token for a new pair. An app that lost the answer can repeat the request within ${inWords(tokenPolicy.refreshReplay)} and gets the same refresh token. After that, a used token ends its session, because it may have been copied.`,
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
    problems: [...body, "invalid-refresh-token", "refresh-token-reused"],
  },
  {
    id: "revokeToken",
    method: "post",
    path: "/api/v1/token/revoke",
    tag: "Tokens",
    summary: "Log out",
    description:
      "Ends the session of a refresh token at once. The answer is the same for every token.",
    bearer: [],
    request: { name: "RefreshToken", schema: refresh, example: { refresh_token: refreshToken } },
    answer: { status: 204, description: "The session has ended, if there was one." },
    problems: body,
  },
  {
    id: "confirmToken",
    method: "post",
    path: "/api/v1/token/confirm",
    tag: "Tokens",
    summary: "Confirm the password",
    description: `Renews the session's proof of identity, which is needed to end another session. A login is a proof too, valid for ${proof}. The tokens stay as they are; access tokens that are issued later carry the new auth_time.`,
    bearer: ["accessToken"],
    request: {
      name: "Confirmation",
      schema: confirmation,
      example: { password: "demo password" },
    },
    answer: { status: 204, description: "The proof is renewed." },
    problems: [
      ...(["invalid-token", "session-required", "invalid-credentials"] as const),
      ...(["second-factor-required", "rate-limited"] as const),
      ...body,
    ],
  },
  {
    id: "createServiceToken",
    method: "post",
    path: "/api/v1/token/service",
    tag: "Tokens",
    summary: "Exchange a key",
    description: `Issues an access token for one service, valid for ${inWords(tokenPolicy.accessToken)}. Name the service as audience: it can verify the token and never sees the key. No other service accepts the token, nor does this API. Without an audience the token is for this API. It has all scopes of the key, or only the requested ones. There is no refresh token: exchange the key again.`,
    bearer: ["apiKey"],
    request: {
      name: "NewServiceToken",
      schema: newServiceToken,
      example: { audience: "https://reports.example.com", scope: "profile:read" },
      optional: true,
    },
    answer: {
      status: 200,
      description: "The token.",
      name: "ServiceToken",
      schema: serviceToken,
      example: {
        access_token: accessToken,
        token_type: "Bearer",
        expires_in: 600,
        scope: "profile:read",
      },
    },
    problems: ["invalid-token", "invalid-scope", ...body],
  },
  {
    id: "getMe",
    method: "get",
    path: "/api/v1/me",
    tag: "Account",
    summary: "Who am I",
    description: "The user that the access token or API key belongs to.",
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
    description: "Where the user is logged in, most recent activity first.",
    bearer: ["accessToken", "apiKey"],
    scope: "sessions:read",
    answer: {
      status: 200,
      description: "The devices.",
      name: "Sessions",
      schema: devices,
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
    id: "deleteSession",
    method: "delete",
    path: "/api/v1/sessions/{id}",
    tag: "Account",
    summary: "Log out a device",
    description: `Ends the session at once. An app can end its own session at any time, and another one within ${proof} of its login or its last POST /api/v1/token/confirm. An API key needs no proof: with this scope it can log its owner out of every device.`,
    bearer: ["accessToken", "apiKey"],
    scope: "sessions:write",
    parameters: [
      { name: "id", description: "The session's id.", schema: z.uuid(), example: sessionId },
    ],
    answer: { status: 204, description: "The session has ended." },
    problems: [
      ...(["invalid-token", "insufficient-scope", "confirmation-required"] as const),
      ...(["not-found", "rate-limited"] as const),
    ],
  },
  {
    id: "listTeams",
    method: "get",
    path: "/api/v1/teams",
    tag: "Teams",
    summary: "List teams",
    description: "The teams of the bearer's user, sorted by name.",
    bearer: ["accessToken", "apiKey"],
    scope: "teams:read",
    answer: {
      status: 200,
      description: "The teams.",
      name: "Teams",
      schema: teams,
      example: [{ handle: team.example, name: "Acme", role: "owner" }],
    },
    problems: ["invalid-token", "insufficient-scope"],
  },
  {
    id: "listProjects",
    method: "get",
    path: "/api/v1/teams/{team}/projects",
    tag: "Projects",
    summary: "List projects",
    description:
      "The team's projects, including archived ones, newest first. For the next page, send the value of next as cursor.",
    bearer: ["accessToken", "apiKey", "teamKey"],
    scope: "projects:read",
    parameters: [team],
    query: paging,
    answer: {
      status: 200,
      description: "A page of projects.",
      name: "Projects",
      schema: projects,
      example: { projects: [website], next: null },
    },
    problems: [...ofTeam, "invalid-input"],
  },
  {
    id: "createProject",
    method: "post",
    path: "/api/v1/teams/{team}/projects",
    tag: "Projects",
    summary: "Create a project",
    description: "Adds a project to the team.",
    bearer: ["accessToken", "apiKey", "teamKey"],
    scope: "projects:write",
    parameters: [team],
    request: { name: "NewProject", schema: newProject, example: { name: "Website" } },
    answer: {
      status: 201,
      description: "The new project.",
      name: "Project",
      schema: project,
      example: website,
    },
    problems: [...ofTeam, ...body, "plan-limit-reached", "rate-limited"],
  },
  {
    id: "getProject",
    method: "get",
    path: "/api/v1/teams/{team}/projects/{id}",
    tag: "Projects",
    summary: "Get a project",
    description: "One project of the team. Its notes have a route of their own.",
    bearer: ["accessToken", "apiKey", "teamKey"],
    scope: "projects:read",
    parameters: [team, projectId],
    answer: {
      status: 200,
      description: "The project.",
      name: "Project",
      schema: project,
      example: website,
    },
    problems: ofTeam,
  },
  {
    id: "changeProject",
    method: "patch",
    path: "/api/v1/teams/{team}/projects/{id}",
    tag: "Projects",
    summary: "Change a project",
    description: "Renames a project, archives it, or takes it out of the archive.",
    bearer: ["accessToken", "apiKey", "teamKey"],
    scope: "projects:write",
    parameters: [team, projectId],
    request: {
      name: "ProjectChange",
      schema: projectChange,
      example: { name: "New website", archived: true },
    },
    answer: {
      status: 200,
      description: "The project as it is now.",
      name: "Project",
      schema: project,
      example: { ...website, name: "New website", archived: true },
    },
    problems: [...ofTeam, ...body, "rate-limited"],
  },
  {
    id: "deleteProject",
    method: "delete",
    path: "/api/v1/teams/{team}/projects/{id}",
    tag: "Projects",
    summary: "Delete a project",
    description:
      "Deletes a project and its notes for good. Only owners and admins can do this. A key of the team acts as a member: it can archive the project, but not delete it.",
    bearer: ["accessToken", "apiKey"],
    scope: "projects:write",
    parameters: [team, projectId],
    answer: { status: 204, description: "The project is deleted." },
    problems: [...ofTeam, "insufficient-role", "rate-limited"],
  },
  {
    id: "listNotes",
    method: "get",
    path: "/api/v1/teams/{team}/projects/{id}/notes",
    tag: "Projects",
    summary: "List notes",
    description:
      "The notes on a project, newest first. For the next page, send the value of next as cursor.",
    bearer: ["accessToken", "apiKey", "teamKey"],
    scope: "projects:read",
    parameters: [team, projectId],
    query: paging,
    answer: {
      status: 200,
      description: "A page of notes.",
      name: "Notes",
      schema: notes,
      example: { notes: [quote], next: null },
    },
    problems: [...ofTeam, "invalid-input"],
  },
  {
    id: "addNote",
    method: "post",
    path: "/api/v1/teams/{team}/projects/{id}/notes",
    tag: "Projects",
    summary: "Add a note",
    description: "Adds a note to a project. A note added with a key of the team has no author.",
    bearer: ["accessToken", "apiKey", "teamKey"],
    scope: "projects:write",
    parameters: [team, projectId],
    request: { name: "NewNote", schema: newNote, example: { body: "Ask for a quote." } },
    answer: {
      status: 201,
      description: "The id of the new note.",
      name: "AddedNote",
      schema: addedNote,
      example: { id: quote.id },
    },
    problems: [...ofTeam, ...body, "rate-limited"],
  },
];
