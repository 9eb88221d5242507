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

/** Tells what keeps the user's passkeys which of them still work here, and what the account is called. */
export function SignalPasskeys({
  rpId,
  handle: userId,
  account,
  name,
  credentialIds,
}: {
  rpId: string;
  handle: string;
  account: string;
  name: string;
  credentialIds: string[];
}) {
  const ids = credentialIds.join();
  useEffect(() => {
    const allAcceptedCredentialIds = ids ? ids.split(",") : [];
    signal("signalAllAcceptedCredentials", { rpId, userId, allAcceptedCredentialIds });
    signal("signalCurrentUserDetails", { rpId, userId, name: account, displayName: name });
  }, [rpId, userId, account, name, ids]);
  return null;
}
