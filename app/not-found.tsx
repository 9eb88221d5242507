import type { Metadata } from "next";
import Link from "next/link";
import { Header } from "@/app/_ui/header";

export const metadata: Metadata = { title: "Not found" };

export default function NotFound() {
  return (
    <>
      <Header home="/" />
      <main
        id="main"
        className="mx-auto grid w-full max-w-sm flex-1 content-center gap-4 px-4 py-16 text-center"
      >
        <h1 className="text-2xl font-semibold tracking-tight">Page not found</h1>
        <p className="text-muted">The URL may be mistyped, or the page has moved.</p>
        <Link href="/" className="button justify-self-center">
          Go to the home page
        </Link>
      </main>
    </>
  );
}
