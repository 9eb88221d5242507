import { GeistMono } from "geist/font/mono";
import { GeistSans } from "geist/font/sans";
import type { Metadata, Viewport } from "next";
import { cookies } from "next/headers";
import type { ReactNode } from "react";
import { parseTheme, themeCookie } from "@/app/_ui/theme";
import { ThemeToggle } from "@/app/_ui/theme-toggle";
import { setTheme } from "@/app/theme";
import { env } from "@/lib/env";
import { product } from "@/lib/product";
import "./globals.css";

export async function generateMetadata(): Promise<Metadata> {
  // Reading cookies below makes every page dynamic, which the nonce of the CSP needs.
  await cookies();
  return {
    metadataBase: new URL(env().APP_URL),
    title: { default: `${product.name} · ${product.tagline}`, template: `%s · ${product.name}` },
    description: product.description,
  };
}

export const viewport: Viewport = {
  colorScheme: "light dark",
  themeColor: [
    { media: "(prefers-color-scheme: light)", color: "#fafafa" },
    { media: "(prefers-color-scheme: dark)", color: "#0c0c0e" },
  ],
};

export default async function RootLayout({ children }: { children: ReactNode }) {
  // First: the build renders this up to here, and has no environment.
  const jar = await cookies();
  const theme = parseTheme(jar.get(themeCookie(env().APP_URL.startsWith("https:")))?.value);
  return (
    <html
      lang="en"
      data-theme={theme === "system" ? undefined : theme}
      className={`${GeistSans.variable} ${GeistMono.variable}`}
    >
      <body className="flex min-h-dvh flex-col">
        <a
          href="#main"
          className="button sr-only focus:not-sr-only focus:absolute focus:top-2 focus:left-2 focus:z-10"
        >
          Skip to content
        </a>
        {children}
        <footer className="border-t border-line">
          <div className="mx-auto flex max-w-5xl items-center justify-between gap-4 px-4 py-4 text-sm text-muted sm:px-6">
            <p className="mr-auto">{product.name}</p>
            <a href="/docs/api">API</a>
            <ThemeToggle theme={theme} action={setTheme} />
          </div>
        </footer>
      </body>
    </html>
  );
}
