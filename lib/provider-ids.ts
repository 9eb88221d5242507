/** The providers that a deployment may configure, as mails and lists of devices name them. */
export const providerNames = { google: "Google", github: "GitHub", oidc: "single sign-on" };

export type ProviderId = keyof typeof providerNames;

// Object.keys widens what the line above says.
export const providerIds = Object.keys(providerNames) as [ProviderId, ...ProviderId[]];
