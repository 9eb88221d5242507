import type { Page } from "@playwright/test";

/*
 * Chromium's virtual authenticator creates and uses passkeys like a real one, without a user. It
 * belongs to one page and answers at once, so if the login refused its passkey, the suggestions of
 * the email field would ask for it again and again.
 */

export type VirtualAuthenticator = {
  credentials(): Promise<Credential[]>;
  /** Makes user verification fail, as if no fingerprint matched; `fit` makes it succeed again. */
  refuse(): Promise<void>;
  fit(): Promise<void>;
};

export type Credential = {
  credentialId: string;
  signCount: number;
  userName?: string;
  rpId?: string;
};

export async function addAuthenticator(page: Page): Promise<VirtualAuthenticator> {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      ctap2Version: "ctap2_1",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
      defaultBackupEligibility: true,
      defaultBackupState: true,
    },
  });
  const verify = (isUserVerified: boolean) =>
    cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified });
  return {
    async credentials() {
      const { credentials } = await cdp.send("WebAuthn.getCredentials", { authenticatorId });
      return credentials as Credential[];
    },
    refuse: () => verify(false).then(() => undefined),
    fit: () => verify(true).then(() => undefined),
  };
}
