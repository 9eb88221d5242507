import { z } from "zod";
import { code, email, label, password, text } from "@/lib/fields";
import { teamRoles } from "@/lib/teams/roles";

/*
 * Schemas of every body that the API takes and returns. The routes validate with these, and the
 * OpenAPI document is made from them (operations.ts). Field names are snake_case, as in RFC 6749.
 * Requests are strict: a field that no route reads is a mistake of the sender.
 */

const otp = code.optional().meta({
  secret: true,
  description:
    "If the account has two-factor: a code from the authenticator app, or a recovery code.",
});

export const newToken = z.strictObject({
  email,
  password,
  otp,
  device_name: z
    .string("Send a string.")
    .trim()
    .min(1, "Leave it out, or name the device.")
    .max(100, "Use at most 100 characters.")
    .regex(/^\P{Cc}*$/u, "This name has characters that cannot be shown.")
    .optional()
    .meta({ description: "The name in the user's list of devices." }),
});

export const confirmation = z.strictObject({ password, otp });

// The database decides whether it is valid; anything longer is not one of our tokens.
const presented = z.string("Send the refresh token.").min(1, "Send the refresh token.").max(200);

export const refresh = z.strictObject({ refresh_token: presented });

export const tokens = z.object({
  access_token: z.string().meta({ description: "Send it as bearer." }),
  token_type: z.literal("Bearer"),
  expires_in: z.int().meta({ description: "Seconds." }),
  refresh_token: z
    .string()
    .meta({ description: "Works for one refresh. Keep it as secret as a password." }),
  refresh_expires_in: z.int().meta({ description: "Seconds." }),
});

export const newServiceToken = z.strictObject({
  audience: z
    .string("Send a string.")
    .max(255, "Use at most 255 characters.")
    .refine(
      isAudience,
      "Use an https URL, or a name of letters, digits, dots, dashes and underscores.",
    )
    .optional()
    .meta({ description: "The one service that accepts the token. If left out, this API." }),
  scope: z
    .string("Send a string.")
    .max(255, "Use at most 255 characters.")
    // RFC 6749, 3.3
    .regex(/^[!#-[\]-~]+( [!#-[\]-~]+)*$/, "List the scopes, separated by single spaces.")
    .optional()
    .meta({ description: "Some of the key's scopes. If left out, all of them." }),
});

/**
 * Accepts an https URI or, without a colon, a name (RFC 7519, 2: StringOrURI). The token contains
 * the audience exactly as sent.
 */
function isAudience(value: string): boolean {
  if (/^[A-Za-z0-9][\w.-]*$/.test(value)) return true;
  if (!/^https:\/\/[!-~]+$/.test(value) || value.includes("#") || !URL.canParse(value))
    return false;
  const { username, password } = new URL(value);
  return username === "" && password === "";
}

export const serviceToken = z.object({
  access_token: z.string().meta({ description: "Send it as bearer." }),
  token_type: z.literal("Bearer"),
  expires_in: z.int().meta({ description: "Seconds." }),
  scope: z.string().meta({ description: "The token's scopes, separated by single spaces." }),
});

export const me = z.object({
  id: z.uuid(),
  email: z.string(),
  name: z.string(),
  role: z.enum(["user", "admin"]),
  session: z
    .object({ id: z.uuid() })
    .optional()
    .meta({ description: "Only with an access token." }),
  api_key: z
    .object({ id: z.uuid(), scopes: z.array(z.string()) })
    .optional()
    .meta({ description: "Only with an API key, or with a token exchanged for one." }),
});

export const device = z.object({
  id: z.uuid(),
  kind: z.enum(["web", "app"]),
  device: z.string().meta({ description: "Browser or app and system, as on the devices page." }),
  ip: z.string().nullable(),
  created_at: z.iso.datetime(),
  last_seen_at: z.iso.datetime(),
  current: z.boolean().meta({ description: "Whether the token belongs to this session." }),
});

export const devices = z.array(device);

export const teams = z.array(
  z.object({
    handle: z.string().meta({ description: "Part of the team's URLs. It never changes." }),
    name: z.string(),
    role: z.enum(teamRoles).meta({ description: "The role of the bearer's user." }),
  }),
);

/** The query of a list. */
export const page = z.strictObject({
  cursor: z
    .string("Send the cursor once.")
    .regex(/^\d{1,16}\.[0-9a-f-]{36}$/, "Send the next of the previous page unchanged.")
    .optional()
    .meta({ description: "The next of the previous page. If left out, the first page." }),
  limit: z.coerce
    .number("Send a number.")
    .int("Send a whole number.")
    .min(1, "Ask for at least 1.")
    .max(100, "Ask for at most 100.") // a response of about 50 KB of notes, half a megabyte at worst
    .default(50)
    .meta({ description: "How many to return at most." }),
});

const next = z
  .string()
  .nullable()
  .meta({ description: "The cursor of the next page. Null on the last page." });

export const project = z.object({
  id: z.uuid(),
  name: z.string(),
  archived: z.boolean(),
  created_at: z.iso.datetime(),
});

export const projects = z.object({ projects: z.array(project), next });

export const newProject = z.strictObject({ name: label });

export const projectChange = z
  .strictObject({
    name: label.optional(),
    archived: z.boolean("Send true or false.").optional(),
  })
  .refine(({ name, archived }) => name !== undefined || archived !== undefined, {
    path: ["body"],
    message: "Send name, archived, or both.",
  });

const note = z.object({
  id: z.uuid(),
  body: z.string(),
  author: z.string().nullable().meta({
    description: "Null if a key of the team added it, or the author's account was deleted.",
  }),
  created_at: z.iso.datetime(),
});

export const notes = z.object({ notes: z.array(note), next });

export const newNote = z.strictObject({ body: text });

export const addedNote = z.object({ id: z.uuid() });
