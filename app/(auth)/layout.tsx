import { connection } from "next/server";
import type { ReactNode } from "react";
import { Logo } from "@/app/_ui/logo";

export default async function AuthLayout({ children }: { children: ReactNode }) {
  // Never prerendered: its forms and its nonce are for one visitor.
  await connection();
  return (
    <main
      id="main"
      className="mx-auto flex w-full max-w-sm flex-1 flex-col justify-center px-4 py-10"
    >
      <a href="/" className="mb-6 self-center rounded-md">
        <Logo />
      </a>
      <div className="card grid gap-5 p-6">{children}</div>
    </main>
  );
}
