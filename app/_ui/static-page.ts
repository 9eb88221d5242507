import { product } from "@/lib/product";

/**
 * Returns a page that works without a database and without scripts: it looks nothing up. `body` is
 * HTML of our own; any value from a request must already be escaped. `received` are the headers in
 * which proxy.ts passes the nonce for the style.
 */
export function staticPage(
  received: Headers,
  page: {
    status: number;
    title: string;
    body: string;
    /** The URL that the browser goes to by itself. */
    to?: string;
  },
): Response {
  const nonce = /'nonce-([\w+/=]+)'/.exec(received.get("content-security-policy") ?? "")?.[1] ?? "";
  const refresh = page.to
    ? `<meta http-equiv="refresh" content="0;url=${escapeAttribute(page.to)}">`
    : "";
  const html = `<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><link rel="icon" href="/icon.svg">${refresh}<title>${page.title} · ${escapeAttribute(product.name)}</title>
<style nonce="${nonce}">${style}</style></head>
<body><main>${page.body}</main></body></html>`;
  return new Response(html, {
    status: page.status,
    headers: { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "private, no-store" },
  });
}

export function escapeAttribute(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}

// The colours of globals.css. The name of the built CSS file is not known here, so this page cannot
// link to it.
const style = `
:root { color-scheme: light dark }
body { margin: 0; min-height: 100dvh; display: grid; place-items: center; text-align: center;
  font: 16px/1.5 system-ui, sans-serif;
  background: light-dark(#fafafa, #0c0c0e); color: light-dark(#18181b, #f4f4f5) }
main { max-width: 24rem; padding: 2rem 1rem }
h1 { font-size: 1.5rem; line-height: 1.3; margin: 0 0 1rem }
p { margin: 0 0 1.5rem; color: light-dark(#52525b, #a9a9b4) }
a, button { display: inline-block; padding: .5rem 1rem; border: 0; border-radius: 6px;
  font: inherit; font-size: .875rem; font-weight: 500; text-decoration: none; cursor: pointer;
  background: light-dark(#0f766e, #2dd4bf); color: light-dark(#ffffff, #042f2e) }
:focus-visible { outline: 2px solid light-dark(#0f766e, #2dd4bf); outline-offset: 2px }`;
