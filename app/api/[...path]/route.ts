import { problemResponse } from "@/app/api/_answer";

/** What is not there, in the API's own words. */
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
