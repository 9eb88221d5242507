import type { Configuration } from "@vercel/otel";
import { telemetryIsOn } from "./env";
import { product } from "./product";
import { redactedPath } from "./request-log";

/*
 * Traces by OpenTelemetry. Next makes the spans, and the standard variables determine which of them
 * are sent, and where. Without OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
 * no telemetry package is imported. Security: Next's spans have the URL of a request, so the tokens
 * in its path, and its query, are removed before a span is exported.
 */

type Processor = Exclude<NonNullable<Configuration["spanProcessors"]>[number], string>;
type Span = Parameters<Processor["onEnd"]>[0];

/** Starts telemetry, if it is on. Returns a function that exports the last spans at shutdown. */
export async function startTelemetry(): Promise<() => Promise<void>> {
  if (!telemetryIsOn()) return async () => {};
  const [{ registerOTel }, { trace }] = await Promise.all([
    import("@vercel/otel"),
    import("@opentelemetry/api"),
  ]);
  registerOTel({
    serviceName: product.name.toLowerCase(), // if OTEL_SERVICE_NAME is not set
    attributes: { "cloud.provider": undefined }, // would be Vercel by default, wherever it runs
    spanProcessors: [redaction, "auto"],
  });
  // The API's provider wraps the SDK's; only the latter can be shut down. Neither type declares it.
  const provider = trace.getTracerProvider() as { getDelegate?(): object };
  const sdk = (provider.getDelegate?.() ?? provider) as { shutdown?(): Promise<void> };
  return async () => sdk.shutdown?.();
}

/** Runs before the processor that exports, which gets the same span object. */
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

/** Returns the text without the tokens of its URLs and paths. */
function redactedText(text: string): string {
  return text.replaceAll(
    /(https?:\/\/[^\s/?#]+)?(\/\S*)/g,
    (_, origin = "", path) => `${origin}${redactedPath(path)}`,
  );
}
