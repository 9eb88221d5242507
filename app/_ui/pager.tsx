import type { Route } from "next";
import { Link } from "./link";

/** The links to the other pages of a list. A link without a value is left out. */
export function Pager({
  newest,
  older,
  clear,
}: {
  newest?: Route;
  older?: Route;
  /** The list without its filters, if it has any. */
  clear?: Route;
}) {
  if (!newest && !older && !clear) return null;
  return (
    <div className="flex flex-wrap gap-3">
      {newest && (
        <Link href={newest} className="button">
          Newest
        </Link>
      )}
      {older && (
        <Link href={older} className="button">
          Older
        </Link>
      )}
      {clear && (
        <Link href={clear} className="button border-transparent text-muted">
          Clear filters
        </Link>
      )}
    </div>
  );
}
