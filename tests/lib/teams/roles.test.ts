import { describe, expect, it } from "vitest";
import { can, type TeamAction, type TeamRole, teamRoles } from "@/lib/teams/roles";

/** The roles that may do an action, whatever it concerns. */
const plain: Record<string, TeamRole[]> = {
  leave: ["owner", "admin", "member"],
  "write-projects": ["owner", "admin", "member"],
  "delete-projects": ["owner", "admin"],
  rename: ["owner", "admin"],
  "manage-keys": ["owner", "admin"],
  "see-activity": ["owner", "admin"],
  transfer: ["owner"],
  "require-strong": ["owner"],
  export: ["owner"],
  delete: ["owner"],
};

/** Which roles an admin may invite or remove, and which roles (from, to) an admin may change. */
const byAdmin = {
  invite: ["admin", "member"],
  remove: ["admin", "member"],
  "change-role": ["admin admin", "admin member", "member admin", "member member"],
};

describe("can", () => {
  it.each(Object.entries(plain))("%s: %s and no other role", (action, allowed) => {
    const may = teamRoles.filter((role) => can(role, action as TeamAction)); // a key of `plain`
    expect(may).toEqual(allowed);
  });

  it("lets no role invite an owner, admins and owners all others, and members none", () => {
    const invited = (role: TeamRole) => teamRoles.filter((to) => can(role, "invite", { to }));
    expect(invited("owner")).toEqual(byAdmin.invite);
    expect(invited("admin")).toEqual(byAdmin.invite);
    expect(invited("member")).toEqual([]);
  });

  it("lets owners remove all members, admins all but owners, and members none", () => {
    const removed = (role: TeamRole) =>
      teamRoles.filter((target) => can(role, "remove", { target }));
    expect(removed("owner")).toEqual(teamRoles);
    expect(removed("admin")).toEqual(byAdmin.remove);
    expect(removed("member")).toEqual([]);
  });

  it("lets owners give and take every role, admins all but the owner's, and members none", () => {
    const pairs = teamRoles.flatMap((target) => teamRoles.map((to) => ({ target, to })));
    const changed = (role: TeamRole) =>
      pairs
        .filter((pair) => can(role, "change-role", pair))
        .map(({ target, to }) => `${target} ${to}`);
    expect(changed("owner")).toHaveLength(pairs.length);
    expect(changed("admin")).toEqual(byAdmin["change-role"]);
    expect(changed("member")).toEqual([]);
  });
});
