import { day, money } from "@/app/_ui/format";
import { EmptyState } from "@/app/_ui/page";
import { type Column, Table } from "@/app/_ui/table";
import { listInvoices } from "@/lib/billing/overview";
import type { InvoiceState } from "@/lib/billing/provider";
import { database } from "@/lib/db/client";

const statuses: Record<InvoiceState["status"], string> = {
  ...{ paid: "Paid", open: "To be paid", uncollectible: "Not paid", void: "Cancelled" },
};

const columns: Column<InvoiceState>[] = [
  { label: "Date", cell: ({ createdAt }) => day(createdAt) },
  { label: "Number", cell: ({ number }) => number ?? "–", cardLabel: "Number" },
  { label: "Amount", cell: ({ total, currency }) => money(total, currency), width: "w-32" },
  { label: "Status", cell: ({ status }) => statuses[status], width: "w-32" },
  {
    ...{ label: "Page", width: "w-28" },
    cell: ({ url, number }) =>
      url && (
        <a href={url} className="link" rel="noreferrer">
          Open<span className="sr-only"> invoice {number}</span>
        </a>
      ),
  },
];

/** The invoices as last reported by the payment provider. The rows link to the provider's pages. */
export async function Invoices({ teamId }: { teamId: string }) {
  const invoices = await listInvoices(database(), teamId);
  return (
    <section aria-labelledby="invoices" className="grid gap-3">
      <h2 id="invoices" className="font-medium">
        Invoices
      </h2>
      {invoices.length === 0 ? (
        <EmptyState>No invoices yet.</EmptyState>
      ) : (
        <Table columns={columns} rows={invoices} rowKey={({ id }) => id} />
      )}
    </section>
  );
}
