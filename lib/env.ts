import { z } from "zod";
import { product } from "./product";

/*
 * The only file that reads process.env, except for the constants NODE_ENV and NEXT_RUNTIME where
 * Next must see them to leave code out of a bundle. .env.example names and explains every variable.
 * `npm run dev` and the tests set the variables that they can make themselves, so nothing here has
 * a development fallback that could reach production unnoticed.
 */

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

const origin = z
  .string()
  .transform((value, context) => {
    const url = URL.canParse(value) ? new URL(value) : undefined;
    if (url && /^https?:$/.test(url.protocol) && url.pathname === "/" && !url.search && !url.hash)
      return url;
    context.addIssue("must be an origin like https://example.com, without a path");
    return z.NEVER;
  })
  .refine((url) => url.protocol === "https:" || LOOPBACK.test(url.hostname), {
    message: "must be https (plain http is allowed for localhost only)",
  })
  .transform((url) => url.origin);

const postgresUrl = z
  .string()
  .refine((value) => /^postgres(ql)?:\/\/./.test(value) && URL.canParse(value), {
    message: "must look like postgres://user:password@host:5432/database",
  });

/** What every program with a database needs: enough for migrations, without mail or keys. */
const databaseVariables = z.object({
  DATABASE_URL: postgresUrl,
  DATABASE_DIRECT_URL: postgresUrl.optional(),
  DATABASE_POOL_MAX: z.coerce.number().int().min(1).max(1000).default(10),
});

const jwkSet = z.string().refine(isPrivateJwkSet, {
  message: "must be a set of private Ed25519 keys: run `npm run keys:new`",
});

const encryptionKeys = z
  .string()
  .refine((value) => value.split(",").every((key) => isKey(key.trim())), {
    message:
      "must be keys of 32 random bytes in base64url, separated by commas: `openssl rand -base64 32 | tr '+/' '-_' | tr -d =`",
  });

const passwordVariables = z.object({
  BREACHED_PASSWORDS_URL: z
    .string()
    .refine((value) => value === "off" || isRangeUrl(value), {
      message: "must be a URL like https://example.com/range/ that ends with a slash, or off",
    })
    .optional(),
});

const list = z
  .string()
  .transform((value) => value.split(",").map((part) => part.trim().toLowerCase()))
  .refine((parts) => parts.every((part) => /^[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(part)), {
    message: "must be domains separated by commas, like example.com,example.org",
  });

/**
 * A provider is configured if all of its required variables are set. The server does not start if
 * only some of them are.
 */
const providerVariables = z.object({
  GOOGLE_CLIENT_ID: z.string().optional(),
  GOOGLE_CLIENT_SECRET: z.string().optional(),
  GITHUB_CLIENT_ID: z.string().optional(),
  GITHUB_CLIENT_SECRET: z.string().optional(),
  GITHUB_URL: origin.optional(),
  OIDC_ISSUER: z
    .string()
    .refine(isIssuer, "must be the provider's https URL (http for localhost only)")
    .optional(),
  OIDC_CLIENT_ID: z.string().optional(),
  OIDC_CLIENT_SECRET: z.string().optional(),
  OIDC_NAME: z.string().max(40, "must be at most 40 characters").optional(),
  OIDC_DOMAINS: list.optional(),
});

/** Billing is on if the first two are set. */
const billingVariables = z.object({
  STRIPE_SECRET_KEY: z
    .string()
    .regex(/^[rs]k_\w+$/, "must be a secret key of Stripe")
    .optional(),
  STRIPE_WEBHOOK_SECRET: z
    .string()
    .refine((value) => value.split(",").every((part) => /^whsec_\S+$/.test(part.trim())), {
      message: "must be signing secrets of Stripe, separated by commas: whsec_…",
    })
    .optional(),
  // Only for the stand-in of development and tests.
  STRIPE_API_URL: origin
    .refine((value) => LOOPBACK.test(new URL(value).hostname), "must be on this machine")
    .optional(),
  BILLING_OFF_PLAN: z.string().default("pro"),
});

/** Variables that must be set together, and optional ones that do nothing without them. */
const providerGroups: { required: string[]; optional: string[] }[] = [
  { required: ["GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET"], optional: [] },
  { required: ["GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET"], optional: ["GITHUB_URL"] },
  {
    required: ["OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"],
    optional: ["OIDC_NAME", "OIDC_DOMAINS"],
  },
  { required: ["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"], optional: ["STRIPE_API_URL"] },
];

const variables = databaseVariables.extend(passwordVariables.shape).extend({
  APP_URL: origin,
  PASSKEY_RP_ID: z.string().optional(),
  AUTH_SECRET: z
    .string()
    .refine((value) => /^[\w-]+$/.test(value) && Buffer.from(value, "base64url").length >= 32, {
      message:
        "must be at least 32 random bytes in base64url: `openssl rand -base64 32 | tr '+/' '-_' | tr -d =`",
    }),
  JWT_PRIVATE_JWKS: jwkSet,
  ENCRYPTION_KEYS: encryptionKeys,
  SMTP_URL: z
    .string()
    .regex(/^smtps?:\/\/./, "must look like smtp://user:password@host:587")
    .refine(hasKnownTls, "must have no tls parameter except ?tls=optional")
    .optional(),
  MAIL_FROM: z.string().regex(/@/, "must be an email, or a name with an email in <>").optional(),
  TRUSTED_PROXY_HOPS: z.coerce.number().int().min(0).max(10).default(0),
  CRON_SECRET: z.string().min(16, "must be at least 16 characters").optional(),
  INSTANCES: z.coerce.number().int().min(1).max(1000).default(1),
  NEXT_SERVER_ACTIONS_ENCRYPTION_KEY: z
    .string()
    .refine(isAesKey, "must be 32 random bytes in base64: `openssl rand -base64 32`")
    .optional(),
  REQUEST_LOG: z.enum(["on", "off"], "must be on or off").optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .string()
    .refine((value) => /^https?:\/\/./.test(value) && URL.canParse(value), {
      message: "must be a URL like http://localhost:4318",
    })
    .optional(),
  ...providerVariables.shape,
  ...billingVariables.shape,
});

/** Browsers refuse any other domain, and a passkey made for it would be lost. */
function fitsRpId({ APP_URL, PASSKEY_RP_ID: id }: { APP_URL: string; PASSKEY_RP_ID?: string }) {
  const { hostname } = new URL(APP_URL);
  return !id || id === hostname || (id.includes(".") && hostname.endsWith(`.${id}`));
}

/** Development keeps mail in a page and needs no SMTP server; production must have one. */
const productionVariables = variables.required({ SMTP_URL: true, MAIL_FROM: true });

export type Env = z.infer<typeof variables> & { production: boolean };
export type ProviderEnv = z.infer<typeof providerVariables>;
export type DatabaseEnv = z.infer<typeof databaseVariables>;

/** Its message lists every missing or wrong variable, one per line, ready to print. */
export class EnvError extends Error {
  override name = "EnvError";
}

/**
 * Anything but "development" and "test" is production: a missing or misspelt NODE_ENV must not
 * enable the mailbox.
 */
export function isProduction(nodeEnv: string | undefined): boolean {
  return nodeEnv !== "development" && nodeEnv !== "test";
}

/** Returns what `env()` returns for this environment. Pure, for tests. Throws `EnvError`. */
export function parseEnv(source: NodeJS.ProcessEnv): Env {
  const production = isProduction(source.NODE_ENV);
  // In production, two more variables are required. The cast leaves the type as it is.
  const schema = (production ? productionVariables : variables) as typeof variables;
  const checked = schema
    .superRefine(requireWholeProviders)
    .superRefine(requireActionsKey)
    .refine(fitsRpId, {
      path: ["PASSKEY_RP_ID"],
      message: "must be the host of APP_URL, or a parent domain of it",
    });
  const parsed = parse(checked, withAppUrl(source, production));
  return { ...parsed, production };
}

let parsedEnv: Env | undefined;
/** Returns the environment, parsed at the first call: at boot (lib/boot.ts). Throws `EnvError`. */
export function env(): Env {
  // Next replaces the expression `process.env.NODE_ENV` when it bundles ("production" in a build),
  // so a built server is production whatever NODE_ENV says when it starts.
  parsedEnv ??= parseEnv({ ...process.env, NODE_ENV: process.env.NODE_ENV });
  return parsedEnv;
}

/** Whether mail is kept for /dev/mailbox, not sent: in development and tests without SMTP_URL. */
export function hasMailbox(): boolean {
  const { production, SMTP_URL } = env();
  return !production && !SMTP_URL;
}

/** Returns the only variable that the command to re-seal secrets needs. Throws `EnvError`. */
export function encryptionEnv(): { ENCRYPTION_KEYS: string } {
  return parse(z.object({ ENCRYPTION_KEYS: encryptionKeys }), nonEmpty(process.env));
}

let parsedBillingEnv: z.infer<typeof billingVariables> | undefined;
/**
 * Returns the variables of billing, also for commands and tests, which set no others. Throws
 * `EnvError`.
 */
export function billingEnv(): z.infer<typeof billingVariables> {
  parsedBillingEnv ??= parse(billingVariables, nonEmpty(process.env));
  return parsedBillingEnv;
}

/** Returns the variables that migrations and seeds need. Throws `EnvError`. */
export function databaseEnv(): DatabaseEnv {
  return parse(databaseVariables, nonEmpty(process.env));
}

/**
 * Returns the Pwned Passwords range URL, or undefined if new passwords are not checked: "off", or
 * unset in development and test. If it is unset elsewhere, returns that of the public service.
 * Throws `EnvError`.
 */
export function breachedPasswordsUrl(source: NodeJS.ProcessEnv = process.env): string | undefined {
  const local = source.NODE_ENV === "development" || source.NODE_ENV === "test";
  const fallback = local ? "off" : "https://api.pwnedpasswords.com/range/";
  const { BREACHED_PASSWORDS_URL: url = fallback } = parse(passwordVariables, nonEmpty(source));
  return url === "off" ? undefined : url;
}

/** Whether each request is logged. */
export function logsRequests({ REQUEST_LOG, production }: Env): boolean {
  return REQUEST_LOG ? REQUEST_LOG === "on" : production;
}

/** Whether traces go to a collector: one of OpenTelemetry's standard variables names it. */
export function telemetryIsOn(): boolean {
  const { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_SDK_DISABLED } =
    process.env;
  return (
    !!(OTEL_EXPORTER_OTLP_ENDPOINT || OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) &&
    OTEL_SDK_DISABLED?.toLowerCase() !== "true"
  );
}

/** The names that .env.example must explain, which a test checks. */
export const variableNames: string[] = Object.keys(variables.shape);

/** For commands: one variable, unparsed. Empty counts as unset. */
export function readVariable(name: string): string | undefined {
  return process.env[name] || undefined;
}

/** For commands: sets variables, for the next `env()`. */
export function setEnv(overrides: Record<string, string>): void {
  Object.assign(process.env, overrides);
  parsedEnv = undefined;
  parsedBillingEnv = undefined;
}

/** For commands: the environment of a child process. */
export function childEnv(overrides: Record<string, string> = {}): NodeJS.ProcessEnv {
  return { ...process.env, ...overrides };
}

/**
 * Returns the site's URL: `APP_URL`. Also for what `npm run build` writes into public pages, where
 * no other variable need be set; without any variable, it is this machine.
 */
export function siteUrl(): string {
  return `${withAppUrl(process.env, false).APP_URL}`;
}

function withAppUrl(source: NodeJS.ProcessEnv, production: boolean): NodeJS.ProcessEnv {
  const set = nonEmpty(source);
  if (set.APP_URL) return set;
  if (set.VERCEL_URL) return { ...set, APP_URL: `https://${set.VERCEL_URL}` };
  return production ? set : { ...set, APP_URL: `http://localhost:${set.PORT ?? 3000}` };
}

function nonEmpty(source: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const entries = Object.entries(source).filter(([, value]) => value !== "");
  // Next's types require the key NODE_ENV; it is copied like the others.
  return Object.fromEntries(entries) as NodeJS.ProcessEnv;
}

function parse<T extends z.ZodType>(schema: T, source: NodeJS.ProcessEnv): z.infer<T> {
  const result = schema.safeParse(source);
  if (result.success) return result.data;
  const lines = result.error.issues.map((issue) => {
    const name = String(issue.path[0]);
    return `  ${name.padEnd(20)} ${source[name] === undefined ? "is missing" : issue.message}`;
  });
  throw new EnvError(
    [
      `${product.name} cannot start. These environment variables are missing or wrong:`,
      "",
      ...lines,
      "",
      "Each is explained in .env.example. In development, `npm run dev` needs none of them.",
    ].join("\n"),
  );
}

function requireWholeProviders(set: Record<string, unknown>, context: z.RefinementCtx): void {
  for (const { required, optional } of providerGroups) {
    if (![...required, ...optional].some((name) => set[name] !== undefined)) continue;
    for (const name of required)
      if (set[name] === undefined) context.addIssue({ code: "custom", path: [name] });
  }
}

/** While one version replaces another, both answer: an action must have the same id in both. */
function requireActionsKey(
  set: { INSTANCES: number; NEXT_SERVER_ACTIONS_ENCRYPTION_KEY?: string },
  context: z.RefinementCtx,
): void {
  const name = "NEXT_SERVER_ACTIONS_ENCRYPTION_KEY";
  if (set.INSTANCES > 1 && !set[name]) context.addIssue({ code: "custom", path: [name] });
}

function isIssuer(value: string): boolean {
  if (!URL.canParse(value) || value.length > 255) return false;
  const { protocol, hostname, search, hash } = new URL(value);
  const secure = protocol === "https:" || (protocol === "http:" && LOOPBACK.test(hostname));
  return secure && !search && !hash;
}

function isRangeUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, hostname, pathname, search, hash } = new URL(value);
  const secure = protocol === "https:" || (protocol === "http:" && LOOPBACK.test(hostname));
  return secure && pathname.endsWith("/") && !search && !hash;
}

/** Refuses a misspelt `?tls=`, which would otherwise be ignored without a message. */
function hasKnownTls(smtpUrl: string): boolean {
  if (!URL.canParse(smtpUrl)) return false;
  return new URL(smtpUrl).searchParams.getAll("tls").every((value) => value === "optional");
}

function isKey(text: string): boolean {
  return /^[\w-]+$/.test(text) && Buffer.from(text, "base64url").length === 32;
}

/** Whether Next accepts the key: 16, 24 or 32 bytes, in the base64 of `atob`. */
function isAesKey(text: string): boolean {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text && [16, 24, 32].includes(bytes.length);
}

function isPrivateJwkSet(value: string): boolean {
  try {
    const { keys } = JSON.parse(value);
    return (
      Array.isArray(keys) &&
      keys.length > 0 &&
      keys.every((key) => key?.kty === "OKP" && key.crv === "Ed25519" && key.d && key.kid)
    );
  } catch {
    return false;
  }
}
