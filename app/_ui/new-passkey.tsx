"use client";

import { type ComponentProps, useEffect } from "react";
import { bytes, PasskeyButton, signal } from "./passkey";

/** The button that makes a new passkey; ids are in base64url. */
export function NewPasskey({
  site,
  handle,
  account,
  exclude,
  algorithms,
  ...shown
}: Omit<ComponentProps<typeof PasskeyButton>, "request" | "taken" | "autofill"> & {
  site: string;
  handle: string;
  /** What the passkey is called in lists of passkeys: the email. */
  account: string;
  /** The passkeys that the account has. */
  exclude: string[];
  algorithms: number[];
}) {
  const { rpId } = shown;
  return (
    <PasskeyButton
      {...shown}
      taken="This device or password manager already has a passkey of your account."
      request={({ challenge, signal }) =>
        navigator.credentials.create({
          signal,
          publicKey: {
            rp: { id: rpId, name: site },
            user: { id: bytes(handle), name: account, displayName: account },
            challenge,
            pubKeyCredParams: algorithms.map((alg) => ({ type: "public-key", alg })),
            excludeCredentials: exclude.map((id) => ({ type: "public-key", id: bytes(id) })),
            authenticatorSelection: { residentKey: "required", userVerification: "required" },
          },
        })
      }
    />
  );
}

let toldOf = 0;

/**
 * Tells what keeps the user's passkeys what the account is called and, once after each change, which of them
 * still work here: a page that the browser kept has an old list, and a newer passkey would be deleted.
 */
export function SignalPasskeys({
  rpId,
  handle: userId,
  account,
  name,
  credentialIds,
  changedAt,
}: {
  rpId: string;
  handle: string;
  account: string;
  name: string;
  credentialIds: string[];
  /** When the page was rendered, in milliseconds, if that was right after a change; otherwise 0. */
  changedAt: number;
}) {
  const ids = credentialIds.join();
  useEffect(() => {
    signal("signalCurrentUserDetails", { rpId, userId, name: account, displayName: name });
    if (changedAt <= toldOf) return;
    toldOf = changedAt;
    const allAcceptedCredentialIds = ids ? ids.split(",") : [];
    signal("signalAllAcceptedCredentials", { rpId, userId, allAcceptedCredentialIds });
  }, [rpId, userId, account, name, ids, changedAt]);
  return null;
}
