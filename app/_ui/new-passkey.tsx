"use client";

import { type ComponentProps, useEffect } from "react";
import { bytes, PasskeyButton, signal } from "./passkey";

/** The button that creates a new passkey. Ids are in base64url. */
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
  /** The name of the passkey in lists of passkeys: the email. */
  account: string;
  /** The ids of the account's existing passkeys. */
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
 * Signals the account's name to the user's passkey managers and, once after each change, the list
 * of passkeys that still work here. The list is sent only after a change: a page restored from the
 * browser's cache has an old list, and a newer passkey would be deleted.
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
