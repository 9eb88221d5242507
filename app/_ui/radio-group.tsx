"use client";

import { useField } from "./field";

/** A choice of one among a few options, all visible. */
export function RadioGroup({
  name,
  label,
  options,
  defaultValue,
}: {
  name: string;
  label: string;
  /** The text of each option, by submitted value. */
  options: Record<string, { label: string; hint?: string }>;
  defaultValue: string;
}) {
  const { frame, typed } = useField(name);
  const chosen = typed ?? defaultValue;
  return (
    // React ignores a new default value of mounted elements. A new key remounts them.
    <fieldset key={chosen} className="grid gap-2.5">
      <legend className="mb-2 text-sm font-medium">{label}</legend>
      {Object.entries(options).map(([value, text]) => (
        <div key={value} className="flex gap-2.5 text-sm">
          <input
            type="radio"
            id={`${frame.id}-${value}`}
            name={name}
            value={value}
            defaultChecked={value === chosen}
            aria-describedby={text.hint && `${frame.id}-${value}-hint`}
            className="mt-0.5 size-4 shrink-0 accent-accent"
          />
          <div>
            <label htmlFor={`${frame.id}-${value}`} className="font-medium">
              {text.label}
            </label>
            {text.hint && (
              <p id={`${frame.id}-${value}-hint`} className="text-muted">
                {text.hint}
              </p>
            )}
          </div>
        </div>
      ))}
    </fieldset>
  );
}
