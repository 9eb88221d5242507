import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import type { JsonSchema, OpenApi } from "@/lib/api/openapi";

/** Describes where a value does not match a schema of the document; undefined if it matches. */
export function mismatch(
  document: OpenApi,
  schema: JsonSchema,
  value: unknown,
): string | undefined {
  const ajv = new Ajv2020({ allErrors: true, strict: false });
  addFormats.default(ajv);
  // With the components inlined, references to `#/components/…` resolve within the schema.
  const validate = ajv.compile({ ...schema, components: document.components });
  return validate(value) ? undefined : ajv.errorsText(validate.errors);
}
