"use client";

import { type ReactNode, useContext, useEffect, useRef, useState } from "react";
import { FormStateContext, Submit } from "./form";

/*
 * Passkeys in the browser. A passkey form is a form like any other: the button fills its hidden field
 * `credential` and sends it. Written here, not imported: three kilobytes less at the login, and it reads the
 * buffers itself, because some password managers break `toJSON`.
 */

/** What a new passkey is for. Without it, one that exists is asked for. */
export type NewPasskey = {
  site: string;
  /** In base64url, as the ids of passkeys that the account has already. */
  handle: string;
  account: string;
  exclude: string[];
  algorithms: number[];
};

/**
 * `autofill`: for the login. Passkeys are also among the suggestions of the email field, and "Remember me" of
 * the other form counts for this one.
 */
export function Passkey({
  rpId,
  challenge,
  create,
  autofill = false,
  className,
  children,
}: {
  rpId: string;
  challenge: string;
  create?: NewPasskey;
  autofill?: boolean;
  className?: string;
  children: ReactNode;
}) {
  const { passkey } = useContext(FormStateContext);
  const next = passkey?.challenge ?? challenge;
  const field = useRef<HTMLInputElement>(null);
  const remember = useRef<HTMLInputElement>(null);
  const pending = useRef<AbortController>(null);
  const [problem, setProblem] = useState("");

  // One request at a time: a second one fails while another is pending.
  async function ask(mediation?: CredentialMediationRequirement): Promise<void> {
    const form = field.current?.form;
    if (!mediation && !form?.reportValidity()) return;
    pending.current?.abort();
    pending.current = new AbortController();
    const { signal } = pending.current;
    setProblem("");
    try {
      const found = create
        ? await navigator.credentials.create({ signal, publicKey: creation(rpId, next, create) })
        : await navigator.credentials.get({
            ...{ signal, mediation },
            publicKey: { rpId, challenge: bytes(next), userVerification: "required" },
          });
      if (!found || !field.current) return;
      field.current.value = answer(found as PublicKeyCredential);
      if (remember.current)
        remember.current.disabled = !document.querySelector("[name=remember]:checked");
      form?.requestSubmit();
    } catch (error) {
      if (signal.aborted) return;
      setProblem(problems[(error as Error).name] ?? "Nothing was confirmed.");
      if (autofill && !mediation) void offer();
    }
  }

  async function offer(): Promise<void> {
    if (await globalThis.PublicKeyCredential?.isConditionalMediationAvailable?.())
      await ask("conditional");
  }

  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each challenge
  useEffect(() => {
    if (autofill) void offer();
    return () => pending.current?.abort();
  }, [next]);

  const unknown = passkey?.unknown;
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
      <p role="status" className="text-sm text-muted empty:hidden">
        {problem}
      </p>
    </div>
  );
}

/** Tells what keeps the user's passkeys which of them still work here, and what the account is called. */
export function SignalPasskeys(known: {
  rpId: string;
  handle: string;
  account: string;
  name: string;
  credentialIds: string[];
}) {
  const { rpId, handle: userId, account, name, credentialIds } = known;
  const ids = credentialIds.join();
  useEffect(() => {
    const allAcceptedCredentialIds = ids ? ids.split(",") : [];
    signal("signalAllAcceptedCredentials", { rpId, userId, allAcceptedCredentialIds });
    signal("signalCurrentUserDetails", { rpId, userId, name: account, displayName: name });
  }, [rpId, userId, account, name, ids]);
  return null;
}

const problems: Record<string, string> = {
  InvalidStateError: "This device or password manager already has a passkey of your account.",
  SecurityError: "This passkey belongs to another address of this site.",
};

function creation(
  rpId: string,
  challenge: string,
  { site, handle, account, exclude, algorithms }: NewPasskey,
): PublicKeyCredentialCreationOptions {
  return {
    rp: { id: rpId, name: site },
    user: { id: bytes(handle), name: account, displayName: account },
    challenge: bytes(challenge),
    pubKeyCredParams: algorithms.map((alg) => ({ type: "public-key", alg })),
    excludeCredentials: exclude.map((id) => ({ type: "public-key", id: bytes(id) })),
    authenticatorSelection: { residentKey: "required", userVerification: "required" },
  };
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

/** Browsers that do not know a signal, and managers that refuse it, are no concern of the page. */
function signal(name: string, options: object): void {
  const known = globalThis.PublicKeyCredential as unknown as Record<
    string,
    ((options: object) => Promise<void>) | undefined
  >;
  known?.[name]?.(options).catch(() => {});
}

function bytes(base64url: string): Uint8Array<ArrayBuffer> {
  const base64 = base64url.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

function text(buffer?: ArrayBuffer | null): string | null {
  if (!buffer) return null;
  const base64 = btoa(String.fromCharCode(...new Uint8Array(buffer)));
  return base64.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
