import { product } from "@/lib/product";

/** The mark: a key whose bow is a latch. */
export function Logo() {
  return (
    <span className="inline-flex items-center gap-2 font-semibold tracking-tight">
      <svg aria-hidden viewBox="0 0 24 24" className="size-6 text-accent" fill="none">
        <rect width="24" height="24" rx="6" fill="currentColor" />
        <g stroke="var(--on-accent)" strokeWidth="2" strokeLinecap="round" strokeLinejoin="round">
          <circle cx="8.5" cy="12" r="3" />
          <path d="M11.5 12H19M16 12v3" />
        </g>
      </svg>
      {product.name}
    </span>
  );
}
