import { describe, expect, it } from "vitest";
import { type AdminAction, can } from "@/lib/auth/roles";

const admin = { id: "1", role: "admin" } as const;
const user = { id: "2", role: "user" } as const;
const otherUser = { id: "3" };

describe("can", () => {
  const acts: AdminAction[] = [
    "change-role",
    "suspend",
    "reinstate",
    "log-out",
    "send-reset",
    "turn-off-two-factor",
    "remove-passkeys",
  ];

  it.each(acts)("allows only an admin to %s another user", (act) => {
    expect(can(admin, act, otherUser)).toBe(true);
    expect(can(user, act, otherUser)).toBe(false);
    expect(can(user, act, user)).toBe(false);
  });

  it.each(["change-role", "suspend", "reinstate", "log-out", "remove-passkeys"] as const)(
    "forbids an admin to %s their own account",
    (act) => {
      expect(can(admin, act, admin)).toBe(false);
      expect(can(admin, act, { ...admin })).toBe(false);
    },
  );

  it("allows an admin to send a link to their own email", () => {
    expect(can(admin, "send-reset", admin)).toBe(true);
  });
});
