import sprite from "@/public/icons.svg";

export type IconName =
  | "check"
  | "chevrons-up-down"
  | "eye"
  | "eye-off"
  | "laptop"
  | "monitor"
  | "moon"
  | "smartphone"
  | "sun"
  | "user-round";

/**
 * A symbol of public/icons.svg in the colour of the text. Decoration: the words beside it say the same.
 * Imported, the file has its hash in its URL, and browsers keep it without asking again.
 */
export function Icon({ name, className = "" }: { name: IconName; className?: string }) {
  return (
    <svg aria-hidden viewBox="0 0 24 24" className={`icon ${className}`}>
      <use href={`${sprite.src}#${name}`} />
    </svg>
  );
}
