"use client";

import { type SubmitEvent, useState } from "react";
import { Icon } from "./icon";
import { type Theme, themeCookie, themeMaxAge } from "./theme";

const choices = [
  { theme: "system", label: "System theme", icon: "monitor" },
  { theme: "light", label: "Light theme", icon: "sun" },
  { theme: "dark", label: "Dark theme", icon: "moon" },
] as const;

/** The server renders the choice into <html>, so there is no flash; a script only saves the round trip. */
export function ThemeToggle({
  theme: initial,
  action,
}: {
  theme: Theme;
  action: (form: FormData) => Promise<void>;
}) {
  const [theme, setTheme] = useState(initial);

  function choose(event: SubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const chosen = event.nativeEvent.submitter?.getAttribute("value");
    const next = choices.find((choice) => choice.theme === chosen)?.theme ?? "system";
    const https = location.protocol === "https:";
    const attributes = `path=/; max-age=${themeMaxAge}; samesite=lax${https ? "; secure" : ""}`;
    // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is missing in Firefox ESR
    document.cookie = `${themeCookie(https)}=${next}; ${attributes}`;
    if (next === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    setTheme(next);
  }

  return (
    <form action={action} onSubmit={choose} className="flex rounded-full border border-line p-0.5">
      {choices.map(({ theme: value, label, icon }) => (
        <button
          key={value}
          type="submit"
          name="theme"
          value={value}
          aria-label={label}
          title={label}
          aria-pressed={theme === value}
          className="grid size-7 place-items-center rounded-full text-muted hover:text-ink aria-pressed:bg-sunken aria-pressed:text-ink"
        >
          <Icon name={icon} className="size-3.5" />
        </button>
      ))}
    </form>
  );
}
