import { z } from "zod";
import { tokenPolicy } from "@/lib/auth/policy";
import { product } from "@/lib/product";
import { inWords } from "@/lib/time";
import { type Operation, operations } from "./operations";
import { type ProblemCode, problem, problemSchema, problems } from "./problems";

/*
 * Makes the OpenAPI document, which is served at /api/openapi.json, read by /docs/api, and checked
 * against the running routes by tests/e2e/thorough/openapi.spec.ts. It is made from the schemas
 * that the routes themselves validate with, so it cannot contradict them.
 */

export type JsonSchema = {
  $ref?: string;
  type?: string | string[];
  format?: string;
  description?: string;
  enum?: string[];
  const?: string;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  minimum?: number;
  maximum?: number;
  default?: unknown;
  minLength?: number;
  maxLength?: number;
};

type Content = Record<string, { schema: JsonSchema; example?: unknown; examples?: Examples }>;
type Examples = Record<string, { summary: string; value: unknown }>;

export type DocumentedOperation = {
  operationId: string;
  summary: string;
  description: string;
  tags: string[];
  security: Record<string, string[]>[];
  parameters?: {
    name: string;
    in: "path" | "query";
    required: boolean;
    description: string;
    schema: JsonSchema;
    example: string;
  }[];
  requestBody?: { required: boolean; content: Content };
  responses: Record<
    string,
    { description: string; headers?: Record<string, unknown>; content?: Content }
  >;
};

export type OpenApi = {
  openapi: "3.1.1";
  info: { title: string; version: string; description: string };
  servers: { url: string }[];
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, DocumentedOperation>>;
  components: {
    schemas: Record<string, JsonSchema>;
    securitySchemes: Record<string, Record<string, string>>;
  };
};

/** Returns the whole document, for the site at `appUrl`. */
export function openApi(appUrl: string): OpenApi {
  const paths: OpenApi["paths"] = {};
  for (const operation of operations)
    paths[operation.path] = {
      ...paths[operation.path],
      [operation.method]: documented(operation),
    };
  return {
    openapi: "3.1.1",
    info: {
      title: `${product.name} API`,
      version: "1",
      description:
        "For apps, servers and scripts. These routes never read the session cookie of a browser.",
    },
    servers: [{ url: appUrl }],
    tags,
    paths,
    components: { schemas: schemas(), securitySchemes },
  };
}

const tags = [
  {
    name: "Tokens",
    description: "Get, renew and revoke access tokens.",
  },
  { name: "Account", description: "The user, and the devices where they are logged in." },
  { name: "Teams", description: "The teams where the user is a member." },
  { name: "Projects", description: "A team's projects, and the notes on them." },
];

const securitySchemes = {
  accessToken: {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
    description: `An access token, valid for ${inWords(tokenPolicy.accessToken)}, and no longer than its session or key.`,
  },
  apiKey: {
    type: "http",
    scheme: "bearer",
    description: "An API key, from Settings → API keys. Valid until it expires or is revoked.",
  },
  teamKey: {
    type: "http",
    scheme: "bearer",
    description:
      "An API key of a team, from the team's API keys page. It works for that team only, and acts as a member.",
  },
};

/** Problems that `answer` can return for every route. */
const everywhere = ["foreign-origin", "unavailable"] as const;

function documented(operation: Operation): DocumentedOperation {
  const { id, summary, description, tag, bearer, parameters, query, request, answer } = operation;
  return {
    operationId: id,
    summary,
    description,
    tags: [tag],
    security: bearer.map((scheme) => ({
      [scheme]: scheme !== "accessToken" && operation.scope ? [operation.scope] : [],
    })),
    ...(parameters && {
      parameters: [...parameters.map(inPath), ...(query ? inQuery(query) : [])],
    }),
    ...(request && {
      requestBody: {
        required: !request.optional,
        content: {
          "application/json": { schema: reference(request.name), example: request.example },
        },
      },
    }),
    responses: {
      [answer.status]: {
        description: answer.description,
        ...(answer.name && {
          content: {
            "application/json": { schema: reference(answer.name), example: answer.example },
          },
        }),
      },
      ...problemResponses([...operation.problems, ...everywhere]),
    },
  };
}

function inPath({ name, description, schema, example }: Parameter) {
  return {
    ...{ name, in: "path" as const, required: true, description, example },
    schema: jsonSchema(schema, "input"),
  };
}

type Parameter = NonNullable<Operation["parameters"]>[number];

/** Every query parameter is optional. */
function inQuery({ schema, examples }: NonNullable<Operation["query"]>) {
  const { properties = {} } = jsonSchema(schema, "output");
  return Object.entries(properties).map(([name, { description = "", ...schema }]) => ({
    ...{ name, in: "query" as const, required: false, description, schema },
    example: `${examples[name]}`,
  }));
}

/** Returns one response per status, with an example for each code that it can carry. */
function problemResponses(codes: readonly ProblemCode[]): DocumentedOperation["responses"] {
  const statuses = [...new Set(codes.map((code) => problems[code].status))].sort((a, b) => a - b);
  const entries = statuses.map((status) => {
    const same = codes.filter((code) => problems[code].status === status);
    const examples = same.map((code) => [
      code,
      { summary: problems[code].title, value: problem(code) },
    ]);
    const response = {
      description: same.map((code) => problems[code].title).join(" "),
      content: {
        "application/problem+json": {
          schema: reference("Problem"),
          examples: Object.fromEntries(examples),
        },
      },
    };
    return [`${status}`, response];
  });
  return Object.fromEntries(entries);
}

const reference = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });

/**
 * Returns every schema by its name, as JSON Schema: requests in the form that is sent, responses in
 * the form that is received.
 */
function schemas(): Record<string, JsonSchema> {
  const named: Record<string, JsonSchema> = { Problem: jsonSchema(problemSchema, "output") };
  for (const { request, answer } of operations) {
    if (request) named[request.name] = jsonSchema(request.schema, "input");
    if (answer.name) named[answer.name] = jsonSchema(answer.schema, "output");
  }
  return named;
}

function jsonSchema(schema: z.ZodType, io: "input" | "output"): JsonSchema {
  const {
    $schema,
    "~standard": _,
    ...rest
  } = z.toJSONSchema(schema, { target: "draft-2020-12", io });
  return rest as JsonSchema; // `JsonSchema` has all that the schemas of this API use
}
