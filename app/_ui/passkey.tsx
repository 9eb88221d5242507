"use client";

import { type ReactNode, useContext, useEffect, useRef, useState } from "react";
import { FormStateContext, Submit } from "./form";

/*
 * Passkeys in the browser. A passkey form is an ordinary form: the button fills its hidden field
 * `credential` and submits it. Written by hand instead of imported: this saves three kilobytes on
 * the login page, and the code reads the buffers itself because some password managers break
 * `toJSON`. new-passkey.tsx creates new passkeys.
 */

/** The parameters of a request for a passkey. */
type Ask = {
  challenge: Uint8Array<ArrayBuffer>;
  signal: AbortSignal;
  mediation?: CredentialMediationRequirement;
};

type Shown = {
  rpId: string;
  /** The challenge of the first request. Each response of the action contains the next one. */
  challenge: string;
  className?: string;
  children: ReactNode;
};

/**
 * The button that asks for a passkey. `autofill` is for the login: the email field also suggests
 * passkeys, and the "Remember me" of the other form applies to this one too.
 */
export function Passkey({ autofill, ...shown }: Shown & { autofill?: boolean }) {
  const { rpId } = shown;
  const get = ({ challenge, ...how }: Ask) =>
    navigator.credentials.get({
      ...how,
      publicKey: { rpId, challenge, userVerification: "required" },
    });
  return <PasskeyButton {...shown} request={get} autofill={autofill} />;
}

export function PasskeyButton({
  rpId,
  challenge,
  request,
  taken,
  autofill,
  className,
  children,
}: Shown & {
  request: (ask: Ask) => Promise<Credential | null>;
  /** The message if the authenticator already has a passkey for the account. */
  taken?: string;
  autofill?: boolean;
}) {
  const { passkey } = useContext(FormStateContext);
  const next = passkey?.challenge ?? challenge;
  const unknown = passkey?.unknown;
  const field = useRef<HTMLInputElement>(null);
  const remember = useRef<HTMLInputElement>(null);
  const pending = useRef<AbortController>(null);
  const [problem, setProblem] = useState("");

  // Allow one request at a time: a second one fails while another is pending.
  function begin(): AbortSignal {
    pending.current?.abort();
    pending.current = new AbortController();
    return pending.current.signal;
  }

  async function ask(mediation?: CredentialMediationRequirement): Promise<void> {
    const form = field.current?.form;
    if (!mediation && !form?.reportValidity()) return;
    const signal = begin();
    if (!mediation) setProblem("");
    try {
      const found = await request({ challenge: bytes(next), signal, mediation });
      if (!found || !field.current) return;
      field.current.value = answer(found as PublicKeyCredential);
      if (remember.current)
        remember.current.disabled = !document.querySelector("[name=remember]:checked");
      form?.requestSubmit();
    } catch (error) {
      if (signal.aborted || mediation) return; // fail silently if the user pressed no button
      setProblem(problemOf((error as Error).name, taken));
      void offer();
    }
  }

  // The offer ends on a press, an unmount or a new challenge, even before the browser responds.
  async function offer(): Promise<void> {
    const signal = begin();
    if (!autofill) return;
    const known = await globalThis.PublicKeyCredential?.isConditionalMediationAvailable?.();
    if (known && !signal.aborted) await ask("conditional");
  }

  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each challenge
  useEffect(() => {
    void offer();
    return () => pending.current?.abort();
  }, [next]);
  useEffect(() => {
    if (unknown) signal("signalUnknownCredential", { rpId, credentialId: unknown });
  }, [rpId, unknown]);

  return (
    <div className="grid gap-2 [@media(scripting:none)]:hidden">
      <input type="hidden" name="credential" ref={field} />
      {autofill && <input type="hidden" name="remember" value="on" ref={remember} />}
      <Submit className={className} onPress={() => void ask()}>
        {children}
      </Submit>
      <p aria-live="polite" className="text-sm text-muted empty:hidden">
        {problem}
      </p>
    </div>
  );
}

function problemOf(name: string, taken?: string): string {
  if (name === "SecurityError") return "This passkey belongs to another address of this site.";
  return (name === "InvalidStateError" && taken) || "Nothing was confirmed.";
}

function answer({ rawId, response }: PublicKeyCredential): string {
  const read = response as AuthenticatorAttestationResponse & AuthenticatorAssertionResponse;
  return JSON.stringify({
    id: text(rawId),
    clientDataJSON: text(read.clientDataJSON),
    attestationObject: text(read.attestationObject),
    transports: read.getTransports?.() ?? [],
    authenticatorData: text(read.authenticatorData),
    signature: text(read.signature),
    userHandle: text(read.userHandle),
  });
}

/**
 * Sends a signal to the passkey managers. Browsers that do not support it and managers that reject
 * it are ignored.
 */
export function signal(name: string, options: object): void {
  const known = globalThis.PublicKeyCredential as unknown as Record<
    string,
    ((options: object) => Promise<void>) | undefined
  >;
  known?.[name]?.(options).catch(() => {});
}

export function bytes(base64url: string): Uint8Array<ArrayBuffer> {
  const base64 = base64url.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

function text(buffer?: ArrayBuffer | null): string | null {
  if (!buffer) return null;
  const base64 = btoa(String.fromCharCode(...new Uint8Array(buffer)));
  return base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
