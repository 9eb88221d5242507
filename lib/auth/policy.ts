import { days, hours, minutes, seconds } from "@/lib/time";

/*
 * All numbers of authentication, each with its reason. Pure data. A changed number applies from the
 * next request, also to existing sessions, because rows hold facts (when a session was created,
 * when it was last seen) and the predicate in sessions/live.ts applies these numbers to them. For
 * sessions the one exception is `absolute`, which is written into the row and the cookie at login.
 */

export const sessionPolicy = {
  persistent: {
    absolute: days(30), // NIST SP 800-63B-4, AAL1: re-authenticate at least every 30 days
    idle: days(14), // a device unseen for two weeks is more likely lost than on holiday
  },
  temporary: {
    absolute: hours(24), // "Remember me" was left off: assume a shared machine
    idle: hours(12), // a working day, not the night after it
  },
  app: {
    absolute: days(90), // phones: long enough that no user logs in weekly
    idle: days(30), // a phone that was off for a month has to log in again
  },
  touchInterval: minutes(5), // "last active" is precise enough; one write per device in that time
  sessionsPerUser: 50, // more is a script or a leak; the least recently seen one ends
  dataBytes: 4096, // keeps a row to one page read; more data belongs in a table of its own
} as const;

export const tokenPolicy = {
  // How late a separate service may notice a change; our own API checks at every request.
  accessToken: minutes(10),
  refreshReplay: seconds(30), // an app that lost the response on a bad connection retries at once
} as const;

export const sudoPolicy = {
  open: minutes(10), // between sudo's own 5 minutes and GitHub's 2 hours: long enough for one task
  submit: minutes(20), // a form that was opened within `open` can be filled in without haste
} as const;

export const livePolicy = {
  heartbeat: seconds(25), // proxies close connections that are silent for 30 to 60 seconds
  poll: seconds(0.5), // the pages of an ended session redirect to the login within two seconds
  longestPoll: seconds(5), // upper limit, with thousands of pages open or a slow database
  streamsPerSession: 6, // a browser needs one, and HTTP/1.1 limits it to six
  // About 120 KB each (npm run bench). A page beyond the cap notices the end of its session at
  // its next request.
  streamsPerServer: 5_000,
} as const;

export const linkPolicy = {
  signUp: hours(24), // users read mail the next morning
  passwordReset: minutes(30), // requested a moment ago, and gives access to an account
  confirmBrowser: minutes(30), // requested a moment ago, on the login page
  emailChange: hours(1), // the user is on the settings page now
  emailRestore: days(7), // a user who lost an account needs time to notice
  notMe: days(7), // same
} as const;

export const passwordPolicy = {
  minLength: 12, // characters. ASVS 6.2.1 requires 8 and recommends 15; 12 with a blocklist
  maxLength: 128, // characters. Longer than any passphrase; bounds the cost of one hash
  maxBytes: 1024, // fits 128 characters of any script; rejects a megabyte before it is hashed
  // zxcvbn's score 4, "strong protection from offline slow-hash scenario". Score 3 begins at 10^8,
  // which zxcvbn gives to any password of three parts, such as "Summer2026!!".
  minGuesses: 1e10,
  estimate: {
    // Characters of a password that zxcvbn reads. All 128 can cost 1.7 s of CPU, 32 about 50 ms. An
    // attacker has to guess these 32 too.
    maxLength: 32,
    // How many readings of "p4$$w0rd" zxcvbn tries. Its default of 100 takes four times as long and
    // finds no more.
    maxSubstitutions: 10,
  },
  breached: {
    timeout: seconds(2), // for the whole response; a user waits this long when the service is slow
    maxBytes: 262_144, // a padded response has about 2,000 lines of 40 bytes
  },
  argon2: {
    memoryCost: 19_456, // KiB. OWASP Password Storage, argon2id, first choice: 19 MiB
    timeCost: 2, // same source
    parallelism: 1, // same source
  },
} as const;

export const browserCookiePolicy = {
  lifetime: days(365), // a browser is known for a year after its last login
  accounts: 5, // per browser; a family computer has no more, and the cookie stays small
} as const;

export const apiKeyPolicy = {
  // In days: a trial, quarterly rotation, yearly rotation. The owner may also choose no expiry.
  lifetimes: [30, 90, 365],
  keysPerUser: 25, // one key per service and environment; more is a script or a leak
  touchInterval: minutes(5), // "last used" is precise enough; one write per key in that time
  expiredShown: days(30), // long enough to find out why something stopped working
} as const;

/** Limits on attempts at one account from all browsers that it does not know: login/attempts.ts. */
export const logInPolicy = {
  // After this many in a row, a mailed link is needed: NIST SP 800-63B-4, 3.2.2, allows no more.
  failures: 100,
  burst: 20, // at once; more than a user mistypes
  interval: seconds(2), // per attempt after the burst: 80 more take an attacker three minutes
  // The longest that a user waits. An attempt that would have to wait longer is refused.
  longestWait: seconds(6),
  // Time since the last counted attempt. Rows expire, because an attacker may fill the table
  // with made-up emails.
  remembered: days(90),
} as const;

export const twoFactorPolicy = {
  totp: {
    secretBytes: 20, // RFC 4226, 4: 160 bits
    period: seconds(30), // what every app assumes
    digits: 6, // same
    drift: 1, // accepted steps before and after that of the database's clock: RFC 6238, 5.2
  },
  recoveryCodes: { count: 8, characters: 24 }, // 120 bits each: ASVS 6.5.2 wants 112 for a fast hash
  pendingLogin: minutes(10), // to find the phone; the password has to be typed again after that
  pendingLoginsPerUser: 10, // browsers that wait for a code at the same time; more is a script
  codesPerLogin: 5, // attempts, after which the user has to enter the password again
  failures: {
    // After this many wrong codes in a row, and after every 5 more, a mail warns that the password
    // is known (ASVS 6.3.5).
    warnAt: 5,
    retireAt: 20, // the account's password is deleted: only an attacker is wrong that often
  },
  startedFor: hours(1), // an app that was scanned but not confirmed; starting again costs a click
} as const;

export const passkeyPolicy = {
  // How long a page with a passkey button may stay open before the button is first used.
  challenge: minutes(15),
  spentChallenge: hours(1), // longer than a challenge is valid, even if clocks differ
  passkeysPerUser: 25, // a user has a few authenticators; more is a script
} as const;

export const providerPolicy = {
  visit: minutes(15), // time to log in at the provider, with a second factor there
  // Once for discovery, and once for all other requests of a login. A user waits this long when the
  // provider is slow.
  timeout: seconds(10),
  discovery: hours(1), // a provider's endpoints rarely change; a failure is not cached
  // Lifetime of the cookie that binds visits and mailed sign-up links to a browser: as long as
  // such a link.
  browser: hours(24),
  // Between the provider's clock, which timestamps its proofs, and the database's.
  clockSkew: minutes(1),
} as const;

export const auditRetention = days(365); // long enough to investigate, short enough to justify

// After three days of attempts: long enough to notice and fix the cause.
export const givenUpJobRetention = days(7);

export const healthTimeout = seconds(2); // load balancers ask every few seconds
