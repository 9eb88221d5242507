import type { CDPSession, Page } from "@playwright/test";

/*
 * Chromium's virtual authenticator: makes and uses passkeys as a device would, without a person. It belongs to
 * one page. It answers at once; a test whose passkey is to be refused at the login calls `await wait()` first, or
 * the page asks again and again.
 */

export type VirtualAuthenticator = {
  cdp: CDPSession;
  authenticatorId: string;
  credentials(): Promise<Credential[]>;
  /** Answers nothing until a button is pressed after `answer()`. */
  wait(): Promise<void>;
  answer(): Promise<void>;
  /** No fingerprint fits, and then one does. */
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
  const simulate = (enabled: boolean) =>
    cdp.send("WebAuthn.setAutomaticPresenceSimulation", { authenticatorId, enabled });
  const verify = (isUserVerified: boolean) =>
    cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified });
  return {
    cdp,
    authenticatorId,
    async credentials() {
      const { credentials } = await cdp.send("WebAuthn.getCredentials", { authenticatorId });
      return credentials as Credential[];
    },
    wait: () => simulate(false).then(() => undefined),
    answer: () => simulate(true).then(() => undefined),
    refuse: () => verify(false).then(() => undefined),
    fit: () => verify(true).then(() => undefined),
  };
}
