import type { Metadata } from "next";
import { Missing } from "@/app/_ui/missing";

export const metadata: Metadata = { title: "Not found" };

export default function NotFound() {
  return (
    <div className="px-4">
      <Missing home={{ href: "/", label: "Go to the home page" }} />
    </div>
  );
}
