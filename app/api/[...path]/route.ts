import { problemResponse } from "@/app/api/_answer";

/** Responds to unknown paths with the API's own "not found" problem. */
export function GET(): Response {
  return problemResponse("not-found");
}

export function POST(): Response {
  return problemResponse("not-found");
}

export function PUT(): Response {
  return problemResponse("not-found");
}

export function PATCH(): Response {
  return problemResponse("not-found");
}

export function DELETE(): Response {
  return problemResponse("not-found");
}
