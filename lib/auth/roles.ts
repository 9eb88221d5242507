/*
 * The rules for what a user may do to another user: one per line, pure. Security: the rules are
 * applied twice, by the page that shows a button and by the function that writes, the second time
 * to the rows as they are by then. The session's lookup returns the role, so a change takes effect
 * at the next request. A third role needs a word here, a change to the constraint in
 * lib/db/schema/users.ts, and changes to the rules that name it.
 */

export const roles = ["user", "admin"] as const;
export type Role = (typeof roles)[number];

type UserRef = { id: string };
type UserWithRole = UserRef & { role: Role };

const isAdmin = (actor: UserWithRole) => actor.role === "admin";
const isOther = (actor: UserWithRole, target: UserRef) => actor.id !== target.id;

// No administrator may change their own rights: they could not undo a mistake.
const rules = {
  "change-role": (actor, target) => isAdmin(actor) && isOther(actor, target),
  suspend: (actor, target) => isAdmin(actor) && isOther(actor, target),
  reinstate: (actor, target) => isAdmin(actor) && isOther(actor, target),
  "log-out": (actor, target) => isAdmin(actor) && isOther(actor, target),
  "send-reset": isAdmin,
  "make-team-owner": (actor, target) => isAdmin(actor) && isOther(actor, target),
  "give-plan": isAdmin,
  "turn-off-two-factor": (actor, target) => isAdmin(actor) && isOther(actor, target),
  "remove-passkeys": (actor, target) => isAdmin(actor) && isOther(actor, target),
} satisfies Record<string, (actor: UserWithRole, target: UserRef) => boolean>;

export type AdminAction = keyof typeof rules;

export function can(actor: UserWithRole, action: AdminAction, target: UserRef): boolean {
  return rules[action](actor, target);
}
