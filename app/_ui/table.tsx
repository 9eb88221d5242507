import type { ReactNode } from "react";

/*
 * A list with columns: a table at 768 px and wider. Below that, each row is a card: the first
 * column is on a line of its own, and the others follow side by side.
 */

export type Column<Row> = {
  label: string;
  cell: (row: Row) => ReactNode;
  /** The class for the width, such as "w-32". Columns without one share the remaining width. */
  width?: string;
  /** Shown before the value in a card, where the column's head is hidden. */
  cardLabel?: string;
  /** Rows whose card hides this value visually. Screen readers still read it. */
  hiddenInCard?: (row: Row) => boolean;
};

export function Table<Row>({
  columns,
  rows,
  rowKey,
}: {
  columns: Column<Row>[];
  rows: Row[];
  rowKey: (row: Row) => string;
}) {
  return (
    <div className="card">
      <table className="w-full text-left text-sm max-md:block md:table-fixed">
        <thead className="border-b border-line max-md:sr-only">
          <tr>
            {columns.map(({ label, width = "" }) => (
              <th
                key={label}
                scope="col"
                className={`px-3 py-2.5 font-medium whitespace-nowrap text-muted first:pl-5 last:pr-5 ${width}`}
              >
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="divide-y divide-line max-md:block">
          {rows.map((row) => (
            <tr
              key={rowKey(row)}
              className="max-md:relative max-md:flex max-md:flex-wrap max-md:gap-x-4 max-md:gap-y-1 max-md:p-4"
            >
              {columns.map(({ label, cell, cardLabel, hiddenInCard }) => (
                <td
                  key={label}
                  className={`align-top wrap-anywhere max-md:first:w-full md:px-3 md:py-3 md:first:pl-5 md:last:pr-5 ${hiddenInCard?.(row) ? "max-md:sr-only" : ""}`}
                >
                  {cardLabel && <span className="text-muted md:hidden">{cardLabel} </span>}
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
