/*
 * The rules for which member may do what in a team: pure functions, one per line. Security: the
 * rules are applied twice, by the page that shows a button and by the function that writes, the
 * second time to the roles read under the team's lock. A new role needs a word here, a constraint
 * in lib/db/schema/members.ts, and the rules that name it.
 */

export const teamRoles = ["owner", "admin", "member"] as const;
export type TeamRole = (typeof teamRoles)[number];

/** The roles an invitation can give. Ownership is given by an owner to a member, never by mail. */
export const invitedRoles = ["member", "admin"] as const;
export type InvitedRole = (typeof invitedRoles)[number];

const owner = (role: TeamRole) => role === "owner";
const admin = (role: TeamRole) => role === "owner" || role === "admin";

/** `target` is the role of the member that the action affects, `to` the role that is given. */
type Rule = (role: TeamRole, target: TeamRole, to: TeamRole) => boolean;

const rules = {
  leave: () => true,
  "write-projects": () => true,
  "delete-projects": admin,
  rename: admin,
  invite: (role, _target, to) => admin(role) && to !== "owner",
  "change-role": (role, target, to) =>
    owner(role) || (admin(role) && target !== "owner" && to !== "owner"),
  remove: (role, target) => owner(role) || (admin(role) && target !== "owner"),
  "manage-keys": admin,
  "see-activity": admin,
  "manage-billing": owner,
  transfer: owner,
  "require-strong": owner,
  export: owner,
  delete: owner,
} satisfies Record<string, Rule>;

export type TeamAction = keyof typeof rules;

/** Returns whether a member with `role` may do it. Omit options that the action does not use. */
export function can(
  role: TeamRole,
  action: TeamAction,
  { target = "member", to = "member" }: { target?: TeamRole; to?: TeamRole } = {},
): boolean {
  const rule: Rule = rules[action];
  return rule(role, target, to);
}

export const roleLabels: Record<TeamRole, string> = {
  owner: "Owner",
  admin: "Admin",
  member: "Member",
};

/** Returns the role as a sentence names it: "an owner", "an admin", "a member". */
export function roleInWords(role: TeamRole): string {
  const word = roleLabels[role].toLowerCase();
  return `${/^[aeiou]/.test(word) ? "an" : "a"} ${word}`;
}
