"use client";

import { type ReactNode, useContext, useId } from "react";
import { FormStateContext } from "./form";

/*
 * The controls of a form. Each shows its error and the typed value from the response of the `Form`
 * around it. Ids come from `useId`, so that two forms on one page may have fields of the same name.
 */

/** A label and a text input. */
export function Field({
  name,
  label,
  type = "text",
  hint,
  defaultValue,
  required = true,
  note,
  onType,
  children,
  ...input
}: {
  name: string;
  label: string;
  type?: "text" | "email" | "password" | "url" | "date";
  hint?: string;
  defaultValue?: string;
  required?: boolean;
  /** A note that changes while the user types. Screen readers announce it politely. */
  note?: string;
  onType?: (value: string) => void;
  /** Placed over the right end of the input. */
  children?: ReactNode;
  autoComplete?: string;
  inputMode?: "numeric";
  autoFocus?: boolean;
  minLength?: number;
  maxLength?: number;
}) {
  const { frame, control, typed } = useField(name, hint);
  return (
    <FieldFrame {...frame} label={label} hint={hint} note={onType && (note ?? "")}>
      <div className="relative">
        <input
          {...control}
          type={type}
          onChange={onType && ((event) => onType(event.target.value))}
          required={required}
          defaultValue={typed ?? defaultValue}
          className={`h-10 w-full rounded-md border border-line-strong bg-surface px-3 text-base aria-invalid:border-danger sm:text-sm ${children ? "pr-11" : ""}`}
          {...input}
        />
        {children}
      </div>
    </FieldFrame>
  );
}

/** A label and a multi-line text input. */
export function TextArea({
  name,
  label,
  hint,
  ...input
}: {
  name: string;
  label: string;
  hint?: string;
  rows?: number;
  maxLength?: number;
}) {
  const { frame, control, typed } = useField(name, hint);
  return (
    <FieldFrame {...frame} label={label} hint={hint}>
      <textarea
        {...control}
        required
        defaultValue={typed}
        className="w-full rounded-md border border-line-strong bg-surface px-3 py-2 text-base aria-invalid:border-danger sm:text-sm"
        {...input}
      />
    </FieldFrame>
  );
}

/** A label and a drop-down list. */
export function Select({
  name,
  label,
  labelHidden,
  options,
  defaultValue,
}: {
  name: string;
  label: string;
  /** Hides the label from all but screen readers, where the surroundings make the purpose clear. */
  labelHidden?: boolean;
  /** The text of each option, by submitted value. */
  options: Record<string, string>;
  defaultValue: string;
}) {
  const { frame, control, typed } = useField(name);
  const chosen = typed ?? defaultValue;
  return (
    <FieldFrame {...frame} label={label} labelHidden={labelHidden}>
      <select
        // React ignores a new default value of a mounted select. A new key remounts it.
        key={chosen}
        {...control}
        defaultValue={chosen}
        className="h-10 w-full rounded-md border border-line-strong bg-surface px-2.5 text-base aria-invalid:border-danger sm:text-sm"
      >
        {Object.entries(options).map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </FieldFrame>
  );
}

/** Checkboxes, each with its own field name. An error under `name` applies to the whole group. */
export function CheckboxGroup({
  name,
  label,
  options,
}: {
  name: string;
  label: string;
  /** The text of each checkbox, by field name. */
  options: Record<string, { label: string; hint?: string; defaultChecked?: boolean }>;
}) {
  const { frame, control } = useField(name);
  const errorId = control["aria-describedby"];
  return (
    <fieldset className="grid gap-2.5" aria-describedby={errorId}>
      <legend className="mb-2 text-sm font-medium">{label}</legend>
      {Object.entries(options).map(([field, text]) => (
        <Checkbox key={field} name={field} {...text} errorId={errorId} />
      ))}
      <FieldError {...frame} />
    </fieldset>
  );
}

export function Checkbox({
  name,
  label,
  hint,
  defaultChecked = false,
  errorId,
}: {
  name: string;
  label: string;
  hint?: string;
  /** The state before the form is submitted. After that, the checkbox keeps the submitted state. */
  defaultChecked?: boolean;
  /** The id of the error message that the checkbox's group shows, if any. */
  errorId?: string;
}) {
  const { frame, control, typed, sent } = useField(name, hint);
  const described = [control["aria-describedby"], errorId].filter(Boolean).join(" ");
  return (
    <div className="flex gap-2.5">
      <input
        {...control}
        type="checkbox"
        defaultChecked={sent ? typed === "on" : defaultChecked}
        aria-invalid={control["aria-invalid"] ?? (errorId ? true : undefined)}
        aria-describedby={described || undefined}
        className="mt-0.5 size-4 shrink-0 accent-accent"
      />
      <div className="text-sm">
        <label htmlFor={frame.id} className="font-medium">
          {label}
        </label>
        {hint && (
          <p id={`${frame.id}-hint`} className="text-muted">
            {hint}
          </p>
        )}
        <FieldError {...frame} />
      </div>
    </div>
  );
}

/** The frame of a control: the label above, and hint, note and error below. */
function FieldFrame({
  id,
  error,
  label,
  labelHidden,
  hint,
  note,
  children,
}: {
  id: string;
  error?: string;
  label: string;
  labelHidden?: boolean;
  hint?: string;
  note?: string;
  children: ReactNode;
}) {
  return (
    <div className="grid gap-1.5">
      <label htmlFor={id} className={labelHidden ? "sr-only" : "text-sm font-medium"}>
        {label}
      </label>
      {children}
      {hint && (
        <p id={`${id}-hint`} className="text-sm text-muted">
          {hint}
        </p>
      )}
      {note !== undefined && (
        <p role="status" className="min-h-5 text-sm text-muted">
          {note}
        </p>
      )}
      <FieldError id={id} error={error} />
    </div>
  );
}

function FieldError({ id, error }: { id: string; error?: string }) {
  if (!error) return null;
  return (
    <p id={`${id}-error`} className="text-sm text-danger">
      {error}
    </p>
  );
}

/** Returns the attributes that tie a control to its label, hint and error, and the typed value. */
export function useField(name: string, hint?: string) {
  const { values, errors } = useContext(FormStateContext);
  const id = useId();
  const error = errors?.[name];
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  return {
    frame: { id, error },
    control: {
      id,
      name,
      "aria-invalid": error ? true : undefined,
      "aria-describedby": described || undefined,
    },
    typed: values?.[name],
    /** Whether the form was submitted. If so, a checkbox without a value was left unchecked. */
    sent: values !== undefined,
  };
}
