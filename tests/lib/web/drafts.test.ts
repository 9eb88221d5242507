import { describe, expect, it } from "vitest";
import { packDraft, unpackDraft } from "@/lib/web/drafts";

describe("a draft", () => {
  const values = { email: "ada@example.com", reason: "Grüße, 名前 👋" };

  it("is returned to its user and its form", () => {
    const packed = packDraft("ada", "change-email", values);
    expect(unpackDraft(packed ?? "", "ada", "change-email")).toEqual(values);
  });

  it("is returned to no other user and no other form", () => {
    const packed = packDraft("ada", "change-email", values) ?? "";
    expect(unpackDraft(packed, "bob", "change-email")).toBeNull();
    expect(unpackDraft(packed, "ada", "delete-account")).toBeNull();
  });

  it("is null if the cookie is not one of ours", () => {
    const odd = Buffer.from('{"userId":"ada","form":"f","values":{"a":1}}').toString("base64url");
    for (const packed of [undefined, "", "{}", "bnVsbA", "%%%", odd])
      expect(unpackDraft(packed, "ada", "f")).toBeNull();
  });

  it("fits a cookie, or is not kept", () => {
    expect(packDraft("ada", "f", { text: "x".repeat(2000) })?.length).toBeLessThan(4000);
    expect(packDraft("ada", "f", { text: "x".repeat(4000) })).toBeNull();
  });
});
