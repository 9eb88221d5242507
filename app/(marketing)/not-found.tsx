import type { Metadata } from "next";
import { Missing } from "@/app/_ui/missing";

export const metadata: Metadata = { title: "Not found" };

export default function NotFound() {
  return <Missing home={{ href: "/", label: "Go to the home page" }} />;
}
