"use client";

import { unstable_isUnrecognizedActionError as isUnrecognizedAction } from "next/navigation";
import {
  createContext,
  type ReactNode,
  type RefObject,
  useActionState,
  useContext,
  useEffect,
  useRef,
} from "react";
import type { Draft, FormState } from "@/lib/form";

/** The action's last answer, for the fields inside the form. */
export const FormStateContext = createContext<FormState>({});
const PendingContext = createContext(false);

type Action = (previous: FormState, form: FormData) => Promise<FormState>;

/**
 * Every form of the product. Give it the server action itself: then errors and typed values are in
 * the HTML without JavaScript too. With JavaScript, the first invalid field gets the focus. `draft`
 * fills it with what the user typed before they had to confirm their identity.
 */
export function Form({
  action,
  draft,
  children,
  className,
}: {
  action: Action;
  draft?: Draft;
  children: ReactNode;
  className?: string;
}) {
  const form = useRef<HTMLFormElement>(null);
  const [state, submit, pending] = useActionState(
    // In the HTML it is the action itself, which the form needs without JavaScript.
    typeof window === "undefined" ? action : keepingInput(action, form),
    draft ? { values: draft.values } : {},
  );
  const unsent = draft?.confirmed && !state.errors && !state.message;

  useEffect(() => {
    const wrong = "[aria-invalid=true], [role=alert]";
    if (state.errors || state.message) form.current?.querySelector<HTMLElement>(wrong)?.focus();
  }, [state]);
  useEffect(() => {
    if (unsent) form.current?.querySelector<HTMLElement>("[role=status]")?.focus();
  }, [unsent]);

  return (
    <FormStateContext value={state}>
      <PendingContext value={pending}>
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
                  <a href={state.help.href} className="underline">
                    {state.help.label}
                  </a>
                </>
              )}
              {state.outdated && (
                <>
                  {" "}
                  <button type="button" onClick={() => location.reload()} className="underline">
                    Reload
                  </button>
                </>
              )}
            </p>
          )}
          {children}
        </form>
      </PendingContext>
    </FormStateContext>
  );
}

/** The action; where the server does not have it, what was entered stays on the page, to be copied. */
function keepingInput(action: Action, form: RefObject<HTMLFormElement | null>): Action {
  return async (previous, sent) => {
    try {
      return await action(previous, sent);
    } catch (error) {
      if (!isUnrecognizedAction(error)) throw error;
      const message =
        "This page is from an earlier version of the site, and nothing was saved. Copy what you want to keep, reload the page and try again.";
      return { message, outdated: true, values: typedValues(form.current, sent) };
    }
  };
}

/** Without passwords, which no form shows again. */
function typedValues(form: HTMLFormElement | null, sent: FormData): Record<string, string> {
  const typed = [...sent].filter((entry): entry is [string, string] => {
    const [name, value] = entry;
    const control = form?.elements.namedItem(name);
    const isPassword = control instanceof HTMLInputElement && control.type === "password";
    return typeof value === "string" && !isPassword;
  });
  return Object.fromEntries(typed);
}

/**
 * The form's button. With `onPress` it does that, and the form is sent by a script. While the answer is pending, its name says so and it takes no second press. The
 * mark is no `role="status"`: a page's status is its answer, and there is one.
 */
export function Submit({
  children,
  className = "button-primary",
  onPress,
}: {
  children: ReactNode;
  className?: string;
  onPress?: () => void;
}) {
  const pending = useContext(PendingContext);
  return (
    <button
      type={onPress ? "button" : "submit"}
      onClick={pending ? undefined : onPress}
      aria-disabled={pending || undefined}
      className={`${className} relative`}
    >
      <span className={pending ? "opacity-0" : undefined}>{children}</span>
      {pending && (
        <span className="absolute inset-0 grid place-items-center">
          <span className="size-4 animate-spin rounded-full border-2 border-current border-r-transparent" />
          <span className="sr-only">Please wait…</span>
        </span>
      )}
    </button>
  );
}
