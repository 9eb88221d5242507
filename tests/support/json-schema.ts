import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import type { JsonSchema, OpenApi } from "@/lib/api/openapi";

/** Where a value does not fit a schema of the document, in words; undefined where it fits. */
export function mismatch(
  document: OpenApi,
  schema: JsonSchema,
  value: unknown,
): string | undefined {
  const ajv = new Ajv2020({ allErrors: true, strict: false });
  addFormats.default(ajv);
  // Under an id of its own, `#/components/…` is found from within the schema too.
  const validate = ajv.compile({ ...schema, components: document.components });
  return validate(value) ? undefined : ajv.errorsText(validate.errors);
}
