import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import {
  type Asked,
  handleOfSignUp,
  newChallenge,
  readAssertion,
  readRegistration,
} from "@/lib/auth/credentials/webauthn";
import { passkeyPolicy } from "@/lib/auth/policy";
import { seconds } from "@/lib/time";
import { type Lies, site, softPasskey } from "@/tests/support/passkeys";

const registering: Asked = { purpose: "register", context: "user session" };
const loggingIn: Asked = { purpose: "log-in", context: "" };
const incorrect = { ok: false, reason: "incorrect" };

/** Returns the same challenge as if it had been created this long ago. */
function aged(challenge: string, age: number, { purpose, context }: Asked): string {
  const body = Buffer.from(challenge, "base64url").subarray(0, 22);
  body.writeUIntBE(Date.now() - age, 16, 6);
  const hmac = createHmac("sha256", site.secret).update(`passkey\0${purpose}\0${context}\0`);
  const mac = hmac.update(body).digest().subarray(0, 16);
  return Buffer.concat([body, mac]).toString("base64url");
}

async function verified(lies: Lies = {}, asked = loggingIn) {
  const passkey = softPasskey();
  const read = readAssertion(site, passkey.used(loggingIn, lies), asked);
  return read.ok ? read.assertion.verify(passkey.publicKey) : read;
}

describe("a challenge", () => {
  const purposes: Asked[] = [
    registering,
    { ...registering, context: "user another-session" },
    { ...registering, context: "another-user session" },
    { purpose: "sign-up", context: "link" },
    { purpose: "sign-up", context: "another-link" },
    loggingIn,
    { purpose: "confirm", context: "session" },
    { purpose: "confirm", context: "another-session" },
    { purpose: "confirm", context: "user session" },
  ];

  it("is accepted only for the page that requested it", async () => {
    for (const asked of purposes)
      for (const page of purposes) {
        const { ok } = readAssertion(site, softPasskey().used(asked), page);
        expect(ok, `${JSON.stringify(asked)} at ${JSON.stringify(page)}`).toBe(asked === page);
        const made = await readRegistration(site, softPasskey().made(asked), page);
        expect(made.ok).toBe(asked === page);
      }
  });

  it("expires after the policy's time", async () => {
    const made = newChallenge(site.secret, loggingIn);
    const young = aged(made, passkeyPolicy.challenge - seconds(5), loggingIn);
    const old = aged(made, passkeyPolicy.challenge + seconds(1), loggingIn);
    expect(await verified({ challenge: young })).toMatchObject({ signCount: 0 });
    expect(await verified({ challenge: old })).toEqual({ ok: false, reason: "expired" });
  });

  it("is refused if any byte is changed, or under another secret", async () => {
    const bytes = Buffer.from(newChallenge(site.secret, loggingIn), "base64url");
    expect(bytes).toHaveLength(38);
    for (const at of bytes.keys()) {
      const bent = Buffer.from(bytes);
      bent[at] = bytes.readUInt8(at) ^ 1;
      expect(await verified({ challenge: bent.toString("base64url") })).toEqual(incorrect);
    }
    const foreign = newChallenge("another secret", loggingIn);
    for (const challenge of [foreign, "", "x", bytes.subarray(1).toString("base64url")])
      expect(await verified({ challenge })).toEqual(incorrect);
  });

  it("is different each time", () => {
    const made = () => newChallenge(site.secret, loggingIn);
    expect(made()).not.toBe(made());
  });
});

describe("readRegistration", () => {
  it("returns what the authenticator reports about the passkey", async () => {
    const passkey = softPasskey();
    const aaguid = "bada5566-a7aa-401f-bd96-45619a55120d";
    const read = await readRegistration(site, passkey.made(registering, { aaguid }), registering);
    expect(read).toMatchObject({
      ok: true,
      passkey: {
        ...{ credentialId: passkey.credentialId, publicKey: passkey.publicKey, signCount: 0 },
        ...{ backupEligible: true, backedUp: true, aaguid, transports: ["internal"] },
      },
    });
  });

  it.each<[string, Lies]>([
    ["of another origin", { origin: "https://app.example.com.evil.example" }],
    ["of another domain", { rpId: "evil.example" }],
    ["of a login", { type: "webauthn.get" }],
    ["without fingerprint or PIN", { userVerified: false }],
    ["without a person", { userPresent: false }],
  ])("refuses an answer %s", async (_, lies) => {
    const answer = softPasskey().made(registering, lies);
    expect(await readRegistration(site, answer, registering)).toEqual(incorrect);
  });

  it("refuses what no browser sends", async () => {
    const answer = JSON.parse(softPasskey().made(registering));
    const broken = [
      "",
      "{",
      "null",
      "[]",
      JSON.stringify({ ...answer, attestationObject: "AAAA" }),
    ];
    for (const each of [...broken, JSON.stringify({ ...answer, id: "" })])
      expect(await readRegistration(site, each, registering)).toEqual(incorrect);
    const another = { ...answer, id: softPasskey().credentialId.toString("base64url") };
    const read = await readRegistration(site, JSON.stringify(another), registering);
    // The id in the signed part counts, not the one beside it.
    expect(read.ok && read.passkey.credentialId.toString("base64url")).toBe(answer.id);
  });
});

describe("readAssertion", () => {
  it("verifies an answer, and returns its counter", async () => {
    const lies = { signCount: 7, backedUp: false };
    expect(await verified(lies)).toEqual({ signCount: 7, backedUp: false });
  });

  it.each<[string, Lies]>([
    ["of another origin", { origin: "https://app.example.com:8443" }],
    ["of another domain", { rpId: "example.com" }],
    ["of a registration", { type: "webauthn.create" }],
    ["without fingerprint or PIN", { userVerified: false }],
    ["without a person", { userPresent: false }],
    ["signed by another key", { forged: true }],
  ])("refuses an answer %s", async (_, lies) => {
    expect(await verified(lies)).toBeNull();
  });

  it("refuses what no browser sends", () => {
    const answer = JSON.parse(softPasskey().used(loggingIn));
    const long = Buffer.alloc(1024).toString("base64url");
    for (const each of ["", "{", "null", "0", JSON.stringify({ ...answer, id: long })])
      expect(readAssertion(site, each, loggingIn)).toEqual(incorrect);
  });
});

describe("handleOfSignUp", () => {
  it("is the same for the same link, and reveals nothing about it", () => {
    const handle = handleOfSignUp(site.secret, "link");
    expect(handle).toEqual(handleOfSignUp(site.secret, "link"));
    expect(handle).toHaveLength(32);
    expect(handle).not.toEqual(handleOfSignUp(site.secret, "another link"));
    expect(handle).not.toEqual(handleOfSignUp("another secret", "link"));
  });
});
