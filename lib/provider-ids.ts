/** The providers that a deployment may configure, with their names in mails and device lists. */
export const providerNames = { google: "Google", github: "GitHub", oidc: "single sign-on" };

export type ProviderId = keyof typeof providerNames;

// Object.keys widens the type of the keys above.
export const providerIds = Object.keys(providerNames) as [ProviderId, ...ProviderId[]];
