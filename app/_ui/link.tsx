import NextLink, { type LinkProps } from "next/link";

/**
 * A link between two pages with a session: the next page comes without a new document. Nothing is fetched before
 * the click. By default Next asks the server twice for each link in view, 18 requests for a page of the settings,
 * and shows nothing of the answers, because such a page is made for its visit.
 *
 * Pages before the log-in have `<a>`, so that a first visit loads no script for links, and so has what both kinds of
 * pages share: the header, the alert of a form, the page for "not found". One link there is a `Link`: it switches
 * between password and passkey, and what was typed stays.
 */
export function Link<RouteType>(props: LinkProps<RouteType>) {
  return <NextLink prefetch={false} {...props} />;
}
