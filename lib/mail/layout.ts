import { product } from "@/lib/product";

/*
 * Lays out every mail. Plain text and HTML are made from the same blocks: no template engine, and
 * nothing that a mail client could strip.
 */

export type Mail = { to: string; subject: string; text: string; html: string };

export type Block = string | { label: string; link: string };

/** Returns a mail whose two parts, plain text and HTML, come from the same blocks. */
export function compose(to: string, subject: string, blocks: Block[]): Mail {
  const text = blocks.map((block) => (typeof block === "string" ? block : block.link));
  return { to, subject, text: `${text.join("\n\n")}\n`, html: page(subject, blocks) };
}

// Inline styles and one column look the same in every mail client.
function page(subject: string, blocks: Block[]): string {
  const body = blocks
    .map((block) =>
      typeof block === "string"
        ? `<p style="margin:0 0 16px">${escapeHtml(block)}</p>`
        : `<p style="margin:0 0 16px"><a href="${escapeHtml(block.link)}" style="display:inline-block;padding:10px 16px;border-radius:6px;background:#0f766e;color:#ffffff;text-decoration:none;font-weight:600">${escapeHtml(block.label)}</a></p>`,
    )
    .join("\n");
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(subject)}</title></head>
<body style="margin:0;padding:32px 16px;background:#ffffff;color:#18181b;font:16px/1.5 -apple-system,'Segoe UI',Roboto,sans-serif">
<div style="max-width:480px;margin:0 auto">
<p style="margin:0 0 24px;font-weight:600">${escapeHtml(product.name)}</p>
${body}
</div></body></html>`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
