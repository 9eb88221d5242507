"use client";

import { useSyncExternalStore } from "react";
import { type Theme, themeCookie, themeMaxAge } from "@/lib/theme";
import { Icon } from "./icon";

const choices = [
  { theme: "system", label: "System theme", icon: "monitor" },
  { theme: "light", label: "Light theme", icon: "sun" },
  { theme: "dark", label: "Dark theme", icon: "moon" },
] as const;

/** Hidden without JavaScript, which it needs. The system's theme is then used. */
export function ThemeToggle() {
  // The script in <head> has set the attribute, and the choice is read from it.
  const theme = useSyncExternalStore(subscribe, chosen, () => "system");
  return (
    <fieldset
      aria-label="Theme"
      className="flex rounded-full border border-line p-0.5 noscript:hidden"
    >
      {choices.map(({ theme: value, label, icon }) => (
        <button
          key={value}
          type="button"
          onClick={() => choose(value)}
          aria-label={label}
          title={label}
          aria-pressed={theme === value}
          className="grid size-7 place-items-center rounded-full text-muted hover:text-ink aria-pressed:bg-sunken aria-pressed:text-ink"
        >
          <Icon name={icon} className="size-3.5" />
        </button>
      ))}
    </fieldset>
  );
}

function chosen(): Theme {
  const { theme } = document.documentElement.dataset;
  return theme === "light" || theme === "dark" ? theme : "system";
}

function choose(theme: Theme): void {
  const https = location.protocol === "https:";
  const attributes = `path=/; max-age=${themeMaxAge}; samesite=lax${https ? "; secure" : ""}`;
  // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is missing in Firefox ESR
  document.cookie = `${themeCookie(https)}=${theme}; ${attributes}`;
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

function subscribe(changed: () => void): () => void {
  const observer = new MutationObserver(changed);
  observer.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  return () => observer.disconnect();
}
