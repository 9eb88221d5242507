import { createHash } from "node:crypto";

/*
 * The HTML of the pages, which need no JavaScript. Security: `html` escapes every value, and a page
 * runs no script (CSP).
 */

export type Page = { status: number; body: string; headers: Record<string, string> };

/** Markup that goes into a page unescaped. */
export class Html {
  constructor(readonly text: string) {}
}

type Value = Html | Html[] | string | number | null | undefined | false;

/** Escapes every value that is not an `Html`. */
export function html(strings: TemplateStringsArray, ...values: Value[]): Html {
  return new Html(String.raw({ raw: strings }, ...values.map(markup)));
}

function markup(value: Value): string {
  if (value instanceof Html) return value.text;
  if (Array.isArray(value)) return value.map(({ text }) => text).join("");
  if (value === null || value === undefined || value === false) return "";
  return String(value).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

export function seeOther(location: string): Page {
  return { status: 303, body: "", headers: { Location: location } };
}

/** `formTarget`: the origin that a form finally redirects to, which browsers also check (CSP). */
export function document(
  title: string,
  body: Html,
  { status = 200, formTarget = "" }: { status?: number; formTarget?: string } = {},
): Page {
  const page = html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${title}</title>
    <link rel="icon" href="data:,">
    <style>${new Html(css)}</style>
  </head>
  <body>
    <header><a href="/">Stripe, for development. No money moves.</a></header>
    <main><h1>${title}</h1>${body}</main>
  </body>
</html>`;
  const policy = [
    ...["default-src 'none'", `style-src '${cssHash}'`, "img-src data:"],
    ...[`form-action 'self' ${formTarget}`, "base-uri 'none'", "frame-ancestors 'none'"],
  ];
  const headers = {
    ...{ "Content-Type": "text/html; charset=utf-8", "Referrer-Policy": "same-origin" },
    "Content-Security-Policy": policy.join("; "),
  };
  return { status, body: page.text, headers };
}

const css = `
:root { color-scheme: light dark; --canvas: #f6f7fb; --surface: #fff; --line: #dcdfe9; --ink: #1b1d29;
  --muted: #565b6e; --accent: #4f46c8; --on-accent: #fff; --danger: #b42318; --good: #17703f }
@media (prefers-color-scheme: dark) {
  :root { --canvas: #101118; --surface: #191b25; --line: #333747; --ink: #f1f2f7; --muted: #a7acbf;
    --accent: #a5a0ff; --on-accent: #14122e; --danger: #ff9d92; --good: #6fd49b } }
* { box-sizing: border-box }
body { margin: 0; background: var(--canvas); color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
header { background: var(--accent); padding: .5rem 1rem; text-align: center; font-weight: 600 }
header a { color: var(--on-accent); text-decoration: none }
main { max-width: 44rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 1rem }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
h3 { font-size: 1rem; margin: 0 }
p { margin: .25rem 0 }
a { color: var(--accent) }
small, dt { color: var(--muted) }
label small { display: block }
main > p { margin-bottom: .75rem }
.card p { margin: 0 }
.card { display: grid; gap: .75rem; margin: 0 0 1rem; padding: 1rem; background: var(--surface);
  border: 1px solid var(--line); border-radius: .75rem }
.inner { border-top: 1px solid var(--line); padding-top: .75rem; display: grid; gap: .5rem }
.buttons { display: flex; flex-wrap: wrap; gap: .5rem }
dl { margin: 0; display: grid; gap: .5rem }
dl div { display: flex; justify-content: space-between; gap: 1rem }
dd { margin: 0; text-align: right }
.total dd, .total dt { font-weight: 700; color: var(--ink) }
fieldset { border: 0; margin: 0 0 .75rem; padding: 0; display: grid; gap: .5rem }
legend { font-weight: 600; padding: 0; margin-bottom: .5rem }
label { display: flex; gap: .75rem; align-items: center; padding: .6rem .75rem; cursor: pointer;
  border: 1px solid var(--line); border-radius: .5rem; font-variant-numeric: tabular-nums }
input { accent-color: var(--accent) }
button { font: inherit; font-weight: 600; padding: .5rem .9rem; min-height: 2.5rem; cursor: pointer;
  border-radius: .5rem; border: 1px solid var(--line); background: var(--canvas); color: var(--ink) }
button.primary { width: 100%; background: var(--accent); border-color: var(--accent); color: var(--on-accent) }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
.rows { list-style: none; margin: 0; padding: 0 }
.rows li { display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding: .6rem 0; align-items: center;
  border-bottom: 1px solid var(--line) }
.rows li > :first-child { flex: 1 1 14rem }
.badge { font-size: .8rem; font-weight: 600; padding: .1rem .5rem; border-radius: 1rem;
  border: 1px solid currentcolor; color: var(--muted) }
.active, .paid, .delivered { color: var(--good) }
.past_due, .failed, .dropped { color: var(--danger) }
.problem { color: var(--danger); font-weight: 600; margin-bottom: 1rem }
.notice { color: var(--good); font-weight: 600; margin-bottom: 1rem }
.back { display: inline-block; margin-top: 1rem }
`;

const cssHash = `sha256-${createHash("sha256").update(css).digest("base64")}`;
