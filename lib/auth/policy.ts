import { days, hours, minutes, seconds } from "@/lib/time";

/*
 * Owns every number of authentication, each with its reason. Pure data: change one here and it
 * counts from the next request, for sessions that already exist too, because rows hold facts
 * (when was it created, when last seen) and the predicate in sessions/live.ts applies these numbers.
 * The one exception is `absolute`, which is written into the row and the cookie at login.
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
    idle: days(30), // a phone that was off for a month is asked again
  },
  touchInterval: minutes(5), // "last active" precise enough; one write per device in that time
  sessionsPerUser: 50, // more is a script or a leak; the longest unseen goes
  dataBytes: 4096, // a row stays one page read; more belongs in a table of its own
} as const;

export const tokenPolicy = {
  accessToken: minutes(10), // what a separate service may learn too late; ours asks at every request
  refreshReplay: seconds(30), // an app that lost the answer on a bad line asks again at once
} as const;

export const sudoPolicy = {
  open: minutes(10), // between sudo's own 5 minutes and GitHub's 2 hours: long enough for one task
  submit: minutes(20), // a form that was opened in time can be filled in without haste
} as const;

export const livePolicy = {
  heartbeat: seconds(25), // proxies drop what is silent for 30 to 60 seconds
  poll: seconds(0.5), // an ended session's page leaves within a second
  longestPoll: seconds(5), // with thousands of pages open, or a database that answers slowly
  streamsPerSession: 6, // a browser needs one; HTTP/1.1 allows it no more than six
  streamsPerServer: 5_000, // some 120 KB each (npm run bench); a page beyond them learns of an end at its next request
} as const;

export const linkPolicy = {
  signUp: hours(24), // users read mail the next morning
  passwordReset: minutes(30), // asked for a moment ago, and worth an account
  confirmBrowser: minutes(30), // asked for a moment ago, at the login page
  emailChange: hours(1), // the user is at the settings page now
  emailRestore: days(7), // a user who lost an account needs time to notice
  notMe: days(7), // same
} as const;

export const passwordPolicy = {
  minLength: 12, // characters. ASVS 6.2.1 demands 8, recommends 15; 12 with a blocklist
  maxLength: 128, // characters. Above any pass phrase; bounds the work of one hash
  maxBytes: 1024, // 128 characters of any script fit; refuses a megabyte before it is hashed
  // zxcvbn's score 4, "strong protection from offline slow-hash scenario". Score 3 begins at 10^8,
  // which zxcvbn gives to any three parts, such as "Summer2026!!".
  minGuesses: 1e10,
  estimate: {
    maxLength: 32, // characters of a password that zxcvbn reads. All 128 can cost 1.7 s of CPU, 32 some 50 ms; an attacker has to guess these 32 too
    maxSubstitutions: 10, // readings of "p4$$w0rd" that it tries. Its default of 100 takes four times as long and finds no more
  },
  breached: {
    timeout: seconds(2), // for the whole answer; a user waits this long when the service is slow
    maxBytes: 262_144, // a padded answer has some 2,000 lines of 40 bytes
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
  lifetimes: [30, 90, 365], // days: a trial, a quarter's rotation, a yearly one; or none, for its owner to judge
  keysPerUser: 25, // a key per service and stage; more is a script or a leak
  touchInterval: minutes(5), // "last used" precise enough; one write per key in that time
  expiredShown: days(30), // long enough to see why something stopped
} as const;

/** Tries at one account from all browsers that it does not know: see login/attempts.ts. */
export const logInPolicy = {
  failures: 100, // in a row, then a mailed link is needed: NIST SP 800-63B-4, 3.2.2, allows no more
  burst: 20, // at once; more than a user mistypes
  interval: seconds(2), // past the burst one try each: 80 more take an attacker three minutes
  longestWait: seconds(6), // what a user waits for an answer; longer, and the try is refused
  remembered: days(90), // since the last counted try: an attacker may fill the table with made-up emails
} as const;

export const twoFactorPolicy = {
  totp: {
    secretBytes: 20, // RFC 4226, 4: 160 bits
    period: seconds(30), // what every app assumes
    digits: 6, // same
    drift: 1, // steps before and after the database's: RFC 6238, 5.2
  },
  recoveryCodes: { count: 8, characters: 24 }, // 120 bits each: ASVS 6.5.2 wants 112 for a fast hash
  pendingLogin: minutes(10), // to find the phone; the password has to be typed again after that
  pendingLoginsPerUser: 10, // browsers that wait for a code at the same time; more is a script
  codesPerLogin: 5, // tries, then the password is asked again
  failures: {
    warnAt: 5, // wrong codes in a row, and each 5 more: a mail that the password is known (ASVS 6.3.5)
    retireAt: 20, // the password of the account is deleted: only an attacker mistypes that often
  },
  startedFor: hours(1), // an app that was scanned and not confirmed; starting again costs a click
} as const;

export const passkeyPolicy = {
  challenge: minutes(15), // how long a page with a passkey button may stay open before its first use
  spentChallenge: hours(1), // longer than a challenge is good for, also where clocks differ
  passkeysPerUser: 25, // a user has a few authenticators; more is a script
} as const;

export const providerPolicy = {
  visit: minutes(15), // to log in at the provider, with a second factor there
  timeout: seconds(10), // for all requests of one login; a user waits this long when the provider is slow
  discovery: hours(1), // a provider's endpoints hardly ever change; a failure is not kept
  browser: hours(24), // the cookie that binds visits and mailed sign-up links to a browser: as long as those
  clockSkew: minutes(1), // between the provider's clock, which dates its proofs, and the database's
} as const;

export const auditRetention = days(365); // long enough to find out, short enough to defend

export const givenUpJobRetention = days(7); // after three days of tries: long enough to notice and mend

export const healthTimeout = seconds(2); // load balancers ask every few seconds
