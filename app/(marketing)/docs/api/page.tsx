import type { Metadata } from "next";
import type { ReactNode } from "react";
import { type DocumentedOperation, type JsonSchema, openApi } from "@/lib/api/openapi";
import { siteUrl } from "@/lib/env";

export const metadata: Metadata = { title: "API reference" };

/** Rendered from the document at /api/openapi.json, so the two always agree. */
export default function ApiReferencePage() {
  const document = openApi(siteUrl());
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const schemaOf = (schema: JsonSchema) => resolved(schema, document.components.schemas);

  return (
    <div className="mx-auto grid w-full max-w-5xl gap-8 px-4 py-10 sm:px-6 md:grid-cols-[12rem_1fr] md:gap-12">
      <nav aria-label="Operations" className="h-fit md:sticky md:top-8">
        {document.tags.map(({ name }) => (
          <div key={name} className="mb-4">
            <p className="mb-1 px-2 text-xs font-medium text-muted">{name}</p>
            <ul className="flex flex-wrap gap-0.5 md:grid">
              {operations
                .filter(({ operation }) => operation.tags.includes(name))
                .map(({ operation }) => (
                  <li key={operation.operationId}>
                    <a
                      href={`#${operation.operationId}`}
                      className="block rounded-md px-2 py-1.5 text-sm text-muted hover:bg-sunken hover:text-ink"
                    >
                      {operation.summary}
                    </a>
                  </li>
                ))}
            </ul>
          </div>
        ))}
      </nav>
      <div className="grid min-w-0 gap-12">
        <header className="grid gap-4">
          <h1 className="text-3xl font-semibold tracking-tight">API reference</h1>
          <p className="max-w-prose text-muted">{document.info.description}</p>
          <p className="max-w-prose text-muted">
            Requests and responses are JSON. An error is an{" "}
            <a href="https://www.rfc-editor.org/rfc/rfc9457" className="link">
              RFC 9457 problem
            </a>{" "}
            with a stable <Code>code</Code>. Tools can read the same reference as{" "}
            <a href="/api/openapi.json" className="link">
              openapi.json
            </a>
            . Create API keys in{" "}
            <a href="/settings/api-keys" className="link">
              Settings
            </a>
            , and a team's keys on the team's API keys page.
          </p>
        </header>
        {operations.map(({ path, method, operation }) => (
          <Operation
            key={operation.operationId}
            {...{ path, method, operation, schemaOf }}
            origin={document.servers[0]?.url ?? ""}
          />
        ))}
      </div>
    </div>
  );
}

type SchemaOf = (schema: JsonSchema) => JsonSchema;

function Operation({
  path,
  method,
  operation,
  schemaOf,
  origin,
}: {
  path: string;
  method: string;
  operation: DocumentedOperation;
  schemaOf: SchemaOf;
  origin: string;
}) {
  const { operationId, summary, description, parameters, requestBody, responses } = operation;
  const request = requestBody?.content["application/json"];
  const fields = [
    ...(parameters ?? []).map(({ name, description, schema, required }) => ({
      ...{ name, description, type: typeLabel(schema), required },
    })),
    ...(request ? fieldsOf(request.schema, schemaOf) : []),
  ];
  return (
    <section aria-labelledby={operationId} className="grid scroll-mt-8 gap-5">
      <div className="grid gap-2">
        <h2 id={operationId} className="scroll-mt-8 text-xl font-semibold tracking-tight">
          <a href={`#${operationId}`} className="hover:underline">
            {summary}
          </a>
        </h2>
        <p className="font-mono text-sm break-all">
          <span className="mr-2 rounded-md bg-accent-soft px-2 py-0.5 font-medium text-accent uppercase">
            {method}
          </span>
          {path}
        </p>
        <p className="max-w-prose">{description}</p>
        <p className="text-sm text-muted">{bearerLabel(operation)}</p>
      </div>
      {fields.length > 0 && <Fields caption="Request" fields={fields} />}
      <Example label="Example">{curl(origin, path, method, operation)}</Example>
      {Object.entries(responses).map(([status, { description, content }]) => {
        const answer = content?.["application/json"];
        if (content && !answer) return null;
        return (
          <div key={status} className="grid gap-5">
            {answer && (
              <Fields
                caption={schemaOf(answer.schema).items ? "Response: a list, each with" : "Response"}
                fields={fieldsOf(answer.schema, schemaOf)}
              />
            )}
            <Example label={`${status}: ${description}`}>
              {answer ? JSON.stringify(answer.example, null, 2) : "No body."}
            </Example>
          </div>
        );
      })}
      <Problems operation={operation} />
    </section>
  );
}

type FieldRow = { name: string; type: string; required: boolean; description?: string };

function Fields({ caption, fields }: { caption: string; fields: FieldRow[] }) {
  return (
    <div className="grid gap-2">
      <h3 className="text-sm font-medium">{caption}</h3>
      <dl className="card divide-y divide-line text-sm">
        {fields.map(({ name, type, required, description }) => (
          <div key={name} className="grid gap-x-4 gap-y-0.5 px-4 py-2.5 sm:grid-cols-[15rem_1fr]">
            <dt className="font-mono break-all">{name}</dt>
            <dd>
              <span className="text-muted">
                {type}
                {!required && ", optional"}
              </span>
              {description && <p>{description}</p>}
            </dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

function Problems({ operation }: { operation: DocumentedOperation }) {
  const problems = Object.entries(operation.responses).flatMap(([status, { content }]) =>
    Object.entries(content?.["application/problem+json"]?.examples ?? {}).map(
      ([code, example]) => ({
        ...{ status, code, title: example.summary },
      }),
    ),
  );
  return (
    <div className="grid gap-2">
      <h3 className="text-sm font-medium">Errors</h3>
      <dl className="card divide-y divide-line text-sm">
        {problems.map(({ status, code, title }) => (
          <div key={code} className="grid gap-x-4 gap-y-0.5 px-4 py-2.5 sm:grid-cols-[15rem_1fr]">
            <dt className="font-mono break-all">
              {status} {code}
            </dt>
            <dd>{title}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

function Example({ label, children }: { label: string; children: string }) {
  return (
    <figure className="grid min-w-0 gap-2">
      <figcaption className="text-sm font-medium">{label}</figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls sideways is reached by keyboard */}
      <pre tabIndex={0} className="card overflow-x-auto p-4 text-[0.8125rem] leading-relaxed">
        <code className="font-mono">{children}</code>
      </pre>
    </figure>
  );
}

function Code({ children }: { children: ReactNode }) {
  return <code className="rounded-md bg-sunken px-1.5 py-0.5 font-mono text-sm">{children}</code>;
}

function bearerLabel({ security }: DocumentedOperation): string {
  const scope = security.flatMap(({ apiKey }) => apiKey ?? [])[0];
  const token = security.some(({ accessToken }) => accessToken);
  const key = security.some(({ apiKey }) => apiKey);
  const teamKey = security.some(({ teamKey }) => teamKey);
  if (token && key)
    return `Requires an access token, or an API key${teamKey ? " of a user or of the team," : ""}${scope ? ` with the scope ${scope}` : ""}.`;
  if (key) return "Requires an API key. Access tokens are refused.";
  return token ? "Requires an app's access token. API keys are refused." : "No authentication.";
}

function curl(
  origin: string,
  path: string,
  method: string,
  { security, parameters, requestBody }: DocumentedOperation,
): string {
  const filled = (parameters ?? []).reduce(
    (rest, { name, example }) => rest.replace(`{${name}}`, example),
    path,
  );
  const lines = [`curl ${method === "get" ? "" : `-X ${method.toUpperCase()} `}${origin}${filled}`];
  if (security.some(({ accessToken }) => accessToken))
    lines.push('-H "Authorization: Bearer $ACCESS_TOKEN"');
  else if (security.length > 0) lines.push('-H "Authorization: Bearer $API_KEY"');
  const body = requestBody?.content["application/json"]?.example;
  if (body) lines.push('-H "Content-Type: application/json"', `-d '${JSON.stringify(body)}'`);
  return lines.join(" \\\n  ");
}

function resolved(schema: JsonSchema, schemas: Record<string, JsonSchema>): JsonSchema {
  const name = schema.$ref?.split("/").at(-1);
  return (name && schemas[name]) || schema;
}

/**
 * Returns the rows of a schema's fields. Nested fields have their full name: `session.id`,
 * `projects[].id`. For a list, returns the fields of its items.
 */
function fieldsOf(schema: JsonSchema, schemaOf: SchemaOf, around = ""): FieldRow[] {
  const { items, properties = {}, required = [] } = schemaOf(schema);
  if (items) return fieldsOf(items, schemaOf, around);
  return Object.entries(properties).flatMap(([name, given]) => {
    const field = schemaOf(given);
    const row = {
      ...{ name: around + name, type: typeLabel(field), required: required.includes(name) },
      description: field.description,
    };
    const each = field.items && schemaOf(field.items);
    const inside = field.properties ? fieldsOf(field, schemaOf, `${around}${name}.`) : [];
    const insideEach = each?.properties ? fieldsOf(each, schemaOf, `${around}${name}[].`) : [];
    return [row, ...inside, ...insideEach];
  });
}

function typeLabel({ type, format, enum: values, const: only, items, anyOf }: JsonSchema): string {
  if (only) return `“${only}”`;
  if (values) return values.map((value) => `“${value}”`).join(" or ");
  if (anyOf) return anyOf.map(typeLabel).join(" or ");
  if (items) return `list of ${typeLabel(items)}`;
  return [[type].flat().join(" or "), format && `(${format})`].filter(Boolean).join(" ");
}
