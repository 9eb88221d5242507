import { Icon } from "./icon";

/** By key: what was done. `info`: why nothing was done, or what the user must do next. */
export type Notices = Record<string, string | { info: string }>;

/**
 * Shows the result of the last action, after a redirect. The URL contains a known key and never
 * text, so that no link can make a page show text of the link's choosing.
 */
export function Notice({
  notice,
  sentences,
}: {
  notice: string | string[] | undefined;
  sentences: Notices;
}) {
  if (typeof notice !== "string" || !Object.hasOwn(sentences, notice)) return null;
  const sentence = sentences[notice];
  const info = typeof sentence === "object" ? sentence.info : undefined;
  return (
    <p
      role="status"
      className={`flex gap-2.5 rounded-md border border-line px-3 py-2 text-sm ${info ? "bg-sunken" : "bg-accent-soft"}`}
    >
      <Icon
        name={info ? "info" : "check"}
        className={`mt-0.5 size-4 shrink-0 ${info ? "text-muted" : "text-accent"}`}
      />
      {info ?? `${sentence}`}
    </p>
  );
}
