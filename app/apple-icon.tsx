import { ImageResponse } from "next/og";

export const size = { width: 180, height: 180 };
export const contentType = "image/png";

export default function AppleIcon(): ImageResponse {
  return new ImageResponse(
    <svg width="180" height="180" viewBox="0 0 24 24" fill="none" role="presentation">
      <rect width="24" height="24" fill="#0f766e" />
      <g stroke="#ffffff" strokeWidth="2" strokeLinecap="round" strokeLinejoin="round">
        <circle cx="8.5" cy="12" r="3" />
        <path d="M11.5 12H19M16 12v3" />
      </g>
    </svg>,
    size,
  );
}
