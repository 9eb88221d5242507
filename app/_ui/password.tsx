"use client";

import { useState } from "react";
import { Field } from "./field";
import { Icon } from "./icon";

/*
 * Password fields. Without JavaScript they are plain inputs. With JavaScript, the characters can be
 * shown, and a note rates a new password by length and variety alone. The real rules run on the
 * server (lib/auth/credentials/passwords.ts): their dictionaries are too large for a page.
 */

export function CurrentPassword({ name = "password", label }: { name?: string; label: string }) {
  return <PasswordField name={name} label={label} autoComplete="current-password" />;
}

export function NewPassword({
  name = "password",
  label,
  minLength,
}: {
  name?: string;
  label: string;
  minLength: number;
}) {
  const [typed, setTyped] = useState("");
  return (
    <PasswordField
      name={name}
      label={label}
      autoComplete="new-password"
      hint={`At least ${minLength} characters. Three or more unrelated words are good.`}
      note={typed ? strength(typed, minLength) : undefined}
      onType={setTyped}
    />
  );
}

function PasswordField({
  onType,
  ...field
}: {
  name: string;
  label: string;
  autoComplete: "current-password" | "new-password";
  hint?: string;
  note?: string;
  onType?: (value: string) => void;
}) {
  const [shown, setShown] = useState(false);
  return (
    <Field {...field} type={shown ? "text" : "password"} onType={onType}>
      <ShowToggle shown={shown} onToggle={() => setShown(!shown)} />
    </Field>
  );
}

/** Hidden where scripting is off. Placed over the field, so that the layout does not shift. */
function ShowToggle({ shown, onToggle }: { shown: boolean; onToggle: () => void }) {
  return (
    <button
      type="button"
      onClick={onToggle}
      aria-pressed={shown}
      aria-label="Show characters"
      title={shown ? "Hide characters" : "Show characters"}
      className="absolute inset-y-0 right-0 grid w-10 place-items-center rounded-md text-muted hover:text-ink [@media(scripting:none)]:hidden"
    >
      <Icon name={shown ? "eye-off" : "eye"} className="size-4" />
    </button>
  );
}

function strength(typed: string, minLength: number): string {
  const missing = minLength - [...typed].length;
  if (missing > 0) return `${missing} more character${missing === 1 ? "" : "s"}.`;
  const variety = new Set(typed.toLowerCase()).size;
  if (variety < 6) return "Long enough, but it repeats itself.";
  return typed.length >= 20 && variety >= 9 ? "Good." : "Long enough.";
}
