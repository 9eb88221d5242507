import type { Metadata } from "next";

/** Metadata for pages whose path contains a token. */
export const tokenPageMetadata: Metadata = {
  robots: { index: false },
  // With the header's no-referrer, browsers would send the form with `Origin: null`, which is
  // refused. This policy sends the origin but never the path.
  referrer: "strict-origin",
};
