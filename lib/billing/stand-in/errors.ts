/* Error responses of the API, in Stripe's format. */

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly details: { type?: string; code?: string; param?: string } = {},
  ) {
    super(message);
  }

  get body() {
    return { error: { type: "invalid_request_error", ...this.details, message: this.message } };
  }
}

export function missing(kind: string, id: string, param?: string): ApiError {
  const details = { code: "resource_missing", param: param ?? "id" };
  return new ApiError(param ? 400 : 404, `No such ${kind}: '${id}'`, details);
}

export function invalid(message: string, param?: string, code?: string): ApiError {
  return new ApiError(400, message, { ...(code && { code }), ...(param && { param }) });
}

export function unknownParameter(name: string): ApiError {
  return invalid(`Received unknown parameter: ${name}`, name, "parameter_unknown");
}
