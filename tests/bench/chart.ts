import type { Race, Result } from "./rounds";

/* Draws a bar chart as SVG text: without a library, and as one file for light and dark mode. */

const WIDTH = 760;
const BARS = { left: 236, width: 380 };
const ROW = 26;
const HEADING = 44;

const STYLE = `
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #3f3f46 }
  .title { font-size: 17px; font-weight: 600; fill: #18181b }
  .heading { font-weight: 600; fill: #18181b }
  .note { font-size: 11.5px; fill: #71717a }
  .bar { fill: #a1a1aa }
  .ours { fill: #4f46e5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #d4d4d8 }
    .title, .heading { fill: #fafafa }
    .note { fill: #a1a1aa }
    .bar { fill: #52525b }
    .ours { fill: #818cf8 }
  }`;

/** Draws the last four races. A bar shows a ratio; its label also has the rate. */
export function chart(races: Race[], machine: string): string {
  const shown = races.slice(-4);
  const most = Math.max(...shown.flatMap(({ results }) => results.map((r) => r.ratio.median)));
  const scale = BARS.width / most;
  let y = 64;
  const groups = shown.map((race) => {
    const group = drawRace(race, y, scale);
    y += HEADING + race.results.length * ROW;
    return group;
  });
  const height = y + 34;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="What a session costs per request">
<style>${STYLE}
</style>
<text class="title" x="16" y="32">What a session costs per request</text>
<text class="note" x="16" y="52">Throughput as a share of the first bar of each group; longer is faster.</text>
${groups.join("\n")}
<text class="note" x="16" y="${height - 14}">${escaped(machine)}</text>
</svg>
`;
}

function drawRace({ title, results, ours }: Race, top: number, scale: number): string {
  const bars = results.map((result, at) =>
    drawBar(result, top + HEADING - 8 + at * ROW, scale, result.name === ours ? "ours" : "bar"),
  );
  return [`<text class="heading" x="16" y="${top + 28}">${escaped(title)}</text>`, ...bars].join(
    "\n",
  );
}

function drawBar(
  { name, ratio, perSecond }: Result,
  y: number,
  scale: number,
  kind: string,
): string {
  const width = Math.max(1, ratio.median * scale).toFixed(1);
  const rate = Math.round(perSecond).toLocaleString("en");
  return [
    `<text x="16" y="${y + 14}">${escaped(name)}</text>`,
    `<rect class="${kind}" x="${BARS.left}" y="${y}" width="${width}" height="19" rx="3"/>`,
    `<text class="note" x="${BARS.left + BARS.width + 14}" y="${y + 14}">${ratio.median.toFixed(2)}</text>`,
    `<text class="note" text-anchor="end" x="${WIDTH - 16}" y="${y + 14}">${rate}/s</text>`,
  ].join("\n");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
