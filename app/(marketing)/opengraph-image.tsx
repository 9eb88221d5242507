import { ImageResponse } from "next/og";
import { product } from "@/lib/product";

export const alt = `${product.name} · ${product.tagline}`;
export const size = { width: 1200, height: 630 };
export const contentType = "image/png";

/** The image that links to this site show. Rendered once, at build time. */
export default function SocialImage(): ImageResponse {
  return new ImageResponse(
    <div
      style={{
        display: "flex",
        flexDirection: "column",
        justifyContent: "center",
        width: "100%",
        height: "100%",
        padding: 96,
        background: "#0c0c0e",
        color: "#f4f4f5",
      }}
    >
      <svg width="112" height="112" viewBox="0 0 24 24" fill="none" role="presentation">
        <rect width="24" height="24" rx="6" fill="#2dd4bf" />
        <g stroke="#042f2e" strokeWidth="2" strokeLinecap="round" strokeLinejoin="round">
          <circle cx="8.5" cy="12" r="3" />
          <path d="M11.5 12H19M16 12v3" />
        </g>
      </svg>
      <div style={{ marginTop: 56, fontSize: 88, fontWeight: 600, letterSpacing: -3 }}>
        {product.tagline}
      </div>
      <div style={{ marginTop: 20, fontSize: 36, color: "#a9a9b4" }}>{product.description}</div>
    </div>,
    size,
  );
}
