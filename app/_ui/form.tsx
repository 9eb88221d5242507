"use client";

import type { Route } from "next";
import Link from "next/link";
import {
  createContext,
  type ReactNode,
  useActionState,
  useContext,
  useEffect,
  useRef,
  useState,
} from "react";
import type { Draft, FormState } from "@/lib/form";

const State = createContext<FormState>({});
const Pending = createContext(false);

/**
 * Every form of the product. Give it the server action itself: then errors and typed values are in
 * the HTML without JavaScript too. With it, the first wrong field gets the focus. `draft` fills it
 * with what was typed before its person had to confirm who they are.
 */
export function Form({
  action,
  draft,
  children,
  className,
}: {
  action: (previous: FormState, form: FormData) => Promise<FormState>;
  draft?: Draft;
  children: ReactNode;
  className?: string;
}) {
  const [state, submit, pending] = useActionState(action, draft ? { values: draft.values } : {});
  const form = useRef<HTMLFormElement>(null);
  const unsent = draft?.confirmed && !state.errors && !state.message;

  useEffect(() => {
    const wrong = "[aria-invalid=true], [role=alert]";
    if (state.errors || state.message) form.current?.querySelector<HTMLElement>(wrong)?.focus();
  }, [state]);
  useEffect(() => {
    if (unsent) form.current?.querySelector<HTMLElement>("[role=status]")?.focus();
  }, [unsent]);

  return (
    <State value={state}>
      <Pending value={pending}>
        <form
          ref={form}
          action={submit}
          onSubmit={(event) => pending && event.preventDefault()}
          className={className}
        >
          {unsent && (
            <p
              role="status"
              tabIndex={-1}
              className="rounded-md border border-line bg-accent-soft px-3 py-2 text-sm"
            >
              You have confirmed that it is you. This has not been sent yet: send it now.
            </p>
          )}
          {state.message && (
            <p
              role="alert"
              tabIndex={-1}
              className="rounded-md border border-danger-line bg-danger-soft px-3 py-2 text-sm text-danger"
            >
              {state.message}
              {state.help && (
                <>
                  {" "}
                  {/* Written by the action: a path of this site. */}
                  <Link href={state.help.href as Route} className="underline">
                    {state.help.label}
                  </Link>
                </>
              )}
            </p>
          )}
          {children}
        </form>
      </Pending>
    </State>
  );
}

/** A label, its input and its error, wired for screen readers. Shows again what was typed. */
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
  type?: "text" | "email" | "password";
  hint?: string;
  defaultValue?: string;
  required?: boolean;
  /** Changes while typing; read out politely. */
  note?: string;
  onType?: (value: string) => void;
  /** Lies over the right end of the input. */
  children?: ReactNode;
  autoComplete?: string;
  autoFocus?: boolean;
  minLength?: number;
  maxLength?: number;
}) {
  const { values, errors } = useContext(State);
  const error = errors?.[name];
  const described = [hint && `${name}-hint`, error && `${name}-error`].filter(Boolean).join(" ");

  return (
    <div className="grid gap-1.5">
      <label htmlFor={name} className="text-sm font-medium">
        {label}
      </label>
      <div className="relative">
        <input
          id={name}
          name={name}
          type={type}
          onChange={onType && ((event) => onType(event.target.value))}
          required={required}
          defaultValue={values?.[name] ?? defaultValue}
          aria-invalid={error ? true : undefined}
          aria-describedby={described || undefined}
          className={`h-10 w-full rounded-md border border-line-strong bg-surface px-3 text-base aria-invalid:border-danger sm:text-sm ${children ? "pr-11" : ""}`}
          {...input}
        />
        {children}
      </div>
      {hint && (
        <p id={`${name}-hint`} className="text-sm text-muted">
          {hint}
        </p>
      )}
      {onType && (
        <p role="status" className="min-h-5 text-sm text-muted">
          {note}
        </p>
      )}
      {error && (
        <p id={`${name}-error`} className="text-sm text-danger">
          {error}
        </p>
      )}
    </div>
  );
}

/** One of a few. Shows again what was chosen. */
export function Select({
  name,
  label,
  options,
  defaultValue,
}: {
  name: string;
  label: string;
  /** What is sent, and what is read. */
  options: Record<string, string>;
  defaultValue: string;
}) {
  const { values, errors } = useContext(State);
  const chosen = values?.[name] ?? defaultValue;
  const error = errors?.[name];
  return (
    <div className="grid gap-1.5">
      <label htmlFor={name} className="text-sm font-medium">
        {label}
      </label>
      <select
        // React leaves a select as it is when its default changes; a new one has it.
        key={chosen}
        id={name}
        name={name}
        defaultValue={chosen}
        aria-invalid={error ? true : undefined}
        aria-describedby={error && `${name}-error`}
        className="h-10 w-full rounded-md border border-line-strong bg-surface px-2.5 text-base aria-invalid:border-danger sm:text-sm"
      >
        {Object.entries(options).map(([value, words]) => (
          <option key={value} value={value}>
            {words}
          </option>
        ))}
      </select>
      {error && (
        <p id={`${name}-error`} className="text-sm text-danger">
          {error}
        </p>
      )}
    </div>
  );
}

/** Checkboxes that belong together, each a field of its own; an error of `name` is about them all. */
export function CheckboxGroup({
  name,
  label,
  options,
}: {
  name: string;
  label: string;
  /** The field of each, and what is read beside it. */
  options: Record<string, { label: string; hint?: string }>;
}) {
  const error = useContext(State).errors?.[name];
  return (
    <fieldset className="grid gap-2.5" aria-describedby={error && `${name}-error`}>
      <legend className="mb-2 text-sm font-medium">{label}</legend>
      {Object.entries(options).map(([field, words]) => (
        <Checkbox key={field} name={field} {...words} error={error && `${name}-error`} />
      ))}
      {error && (
        <p id={`${name}-error`} className="text-sm text-danger">
          {error}
        </p>
      )}
    </fieldset>
  );
}

export function Checkbox({
  name,
  label,
  hint,
  error,
}: {
  name: string;
  label: string;
  hint?: string;
  /** The id of what is wrong, where something is. */
  error?: string;
}) {
  const { values } = useContext(State);
  const described = [hint && `${name}-hint`, error].filter(Boolean).join(" ");
  return (
    <div className="flex gap-2.5">
      <input
        id={name}
        name={name}
        type="checkbox"
        defaultChecked={values?.[name] === "on"}
        aria-invalid={error ? true : undefined}
        aria-describedby={described || undefined}
        className="mt-0.5 size-4 accent-accent"
      />
      <div className="text-sm">
        <label htmlFor={name} className="font-medium">
          {label}
        </label>
        {hint && (
          <p id={`${name}-hint`} className="text-muted">
            {hint}
          </p>
        )}
      </div>
    </div>
  );
}

/** What the action has made and will never show again. */
export function Reveal({ label, children }: { label: string; children: ReactNode }) {
  const { reveal } = useContext(State);
  const [copied, setCopied] = useState(false);
  const box = useRef<HTMLDivElement>(null);

  useEffect(() => {
    setCopied(false);
    if (reveal) box.current?.focus();
  }, [reveal]);

  async function copy() {
    await navigator.clipboard.writeText(reveal ?? "");
    setCopied(true);
  }

  if (!reveal) return null;
  return (
    <div
      ref={box}
      role="status"
      tabIndex={-1}
      className="grid gap-2 rounded-md border border-line bg-accent-soft p-4 text-sm"
    >
      <p className="font-medium">{label}</p>
      <code className="rounded-md border border-line bg-surface px-3 py-2 font-mono break-all select-all">
        {reveal}
      </code>
      <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2">
        <p className="text-muted">{children}</p>
        <button
          type="button"
          onClick={copy}
          className="button min-h-9 px-3 [@media(scripting:none)]:hidden"
        >
          {copied ? "Copied" : "Copy"}
        </button>
      </div>
    </div>
  );
}

/** The form's button. While the answer is under way it says so and takes no second press. */
export function Submit({
  children,
  className = "button-primary",
}: {
  children: ReactNode;
  className?: string;
}) {
  const pending = useContext(Pending);
  return (
    <button type="submit" aria-disabled={pending || undefined} className={`${className} relative`}>
      <span className={pending ? "opacity-0" : undefined}>{children}</span>
      {pending && (
        <span role="status" className="absolute inset-0 grid place-items-center">
          <span className="size-4 animate-spin rounded-full border-2 border-current border-r-transparent" />
          <span className="sr-only">Please wait…</span>
        </span>
      )}
    </button>
  );
}
