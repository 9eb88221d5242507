import type { Metadata } from "next";
import { MissingPage } from "@/app/_ui/missing";

export const metadata: Metadata = { title: "Not found" };

export default function NotFound() {
  return <MissingPage />;
}
