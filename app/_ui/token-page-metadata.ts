import type { Metadata } from "next";

/** For pages whose path holds a token. */
export const tokenPageMetadata: Metadata = {
  robots: { index: false },
  // The header's no-referrer would make browsers send the form with `Origin: null`, which is
  // refused. This sends the origin and still never the path.
  referrer: "strict-origin",
};
