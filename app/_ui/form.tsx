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

/** The action's last response, for the fields inside the form. */
export const FormStateContext = createContext<FormState>({});
const PendingContext = createContext(false);

type Action = (previous: FormState, form: FormData) => Promise<FormState>;

/**
 * The form component for the whole product. Pass the server action itself: errors and typed values
 * are then in the HTML without JavaScript too. With JavaScript, the first invalid field gets the
 * focus. `draft` fills the form with what the user typed before they had to confirm their identity.
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
    // On the server, pass the action itself: the form needs it to work without JavaScript.
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
                  {/* The action sets `href` to a path of this site. */}
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

/**
 * Returns the action, wrapped: if the server no longer has it, the entered values stay on the page,
 * so that the user can copy them.
 */
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

/** Leaves out passwords, which no form shows again. */
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
 * The submit button of a form. With `onPress`, pressing it calls `onPress`, and a script submits
 * the form. While the response is pending, the button's name includes "Please wait…" and further
 * presses do nothing. The spinner is not a `role="status"`, because a page has only one: the result
 * of the action.
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
