import { Icon } from "./icon";

/**
 * Shows the result of the last action, after a redirect. The URL contains a known key and never
 * text, so that no link can make a page show text of the link's choosing.
 */
export function Notice({
  notice,
  sentences,
}: {
  notice: string | string[] | undefined;
  sentences: Record<string, string>;
}) {
  if (typeof notice !== "string" || !Object.hasOwn(sentences, notice)) return null;
  return (
    <p
      role="status"
      className="flex gap-2.5 rounded-md border border-line bg-accent-soft px-3 py-2 text-sm"
    >
      <Icon name="check" className="mt-0.5 size-4 shrink-0 text-accent" />
      {sentences[notice]}
    </p>
  );
}
