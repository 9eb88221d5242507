import sprite from "@/public/icons.svg";

export type IconName =
  | "check"
  | "chevrons-up-down"
  | "eye"
  | "eye-off"
  | "info"
  | "laptop"
  | "monitor"
  | "moon"
  | "smartphone"
  | "sun"
  | "user-round";

/**
 * A symbol from public/icons.svg in the colour of the text. It is decorative: the text beside it
 * has the same meaning. Because the file is imported, its URL contains its hash and browsers cache
 * it without revalidation.
 */
export function Icon({ name, className = "" }: { name: IconName; className?: string }) {
  return (
    <svg aria-hidden viewBox="0 0 24 24" className={`icon ${className}`}>
      <use href={`${sprite.src}#${name}`} />
    </svg>
  );
}
