import NextLink, { type LinkProps } from "next/link";

/**
 * A link between two pages with a session. The next page loads without a new document. Nothing is
 * prefetched: by default Next sends two requests for each link in view, 18 for a page of the
 * settings, and shows none of the responses, because these pages are rendered per request.
 *
 * Pages before the log-in use `<a>`, so that a first visit loads no script for links. So do parts
 * that both kinds of pages share: the header, the alert of a form, the "not found" page. The only
 * exception, the link that switches between password and passkey, is a `Link`: typed text stays.
 */
export function Link<RouteType>(props: LinkProps<RouteType>) {
  return <NextLink prefetch={false} {...props} />;
}
