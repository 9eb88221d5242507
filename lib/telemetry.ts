import type { Configuration } from "@vercel/otel";
import { telemetryIsOn } from "./env";
import { product } from "./product";
import { redactedPath } from "./request-log";

/*
 * Owns traces by OpenTelemetry: Next makes the spans, and the standard variables say where they go and which.
 * Without OTEL_EXPORTER_OTLP_ENDPOINT nothing of it is imported. The security fact: Next's spans have the URL of
 * a request, so each loses the tokens of its path, and its query, before it is exported.
 */

type Processor = Exclude<NonNullable<Configuration["spanProcessors"]>[number], string>;
type Span = Parameters<Processor["onEnd"]>[0];

/** Returns what exports the last spans at shutdown. */
export async function startTelemetry(): Promise<() => Promise<void>> {
  if (!telemetryIsOn()) return async () => {};
  const [{ registerOTel }, { trace }] = await Promise.all([
    import("@vercel/otel"),
    import("@opentelemetry/api"),
  ]);
  registerOTel({
    serviceName: product.name.toLowerCase(), // where OTEL_SERVICE_NAME is not set
    attributes: { "cloud.provider": undefined }, // it would say Vercel, wherever it runs
    spanProcessors: [redaction, "auto"],
  });
  // The API's provider stands before the SDK's, which alone can be shut down. Neither type says so.
  const provider = trace.getTracerProvider() as { getDelegate?(): object };
  const sdk = (provider.getDelegate?.() ?? provider) as { shutdown?(): Promise<void> };
  return async () => sdk.shutdown?.();
}

/** Stands before the processor that exports, which gets the same object. */
const redaction: Processor = {
  onStart() {},
  onEnd(span) {
    const changeable: { -readonly [Key in keyof Span]: Span[Key] } = span;
    changeable.name = redactedText(span.name);
    for (const [name, value] of Object.entries(span.attributes))
      if (typeof value === "string") span.attributes[name] = redactedText(value);
    delete span.attributes["url.query"];
    for (const { attributes = {} } of span.events)
      for (const [name, value] of Object.entries(attributes))
        if (typeof value === "string") attributes[name] = redactedText(value);
    if (span.status.message) span.status.message = redactedText(span.status.message);
  },
  forceFlush: async () => {},
  shutdown: async () => {},
};

/** Without the tokens of its URLs and paths. */
function redactedText(text: string): string {
  return text.replaceAll(
    /(https?:\/\/[^\s/?#]+)?(\/\S*)/g,
    (_, origin = "", path) => `${origin}${redactedPath(path)}`,
  );
}
