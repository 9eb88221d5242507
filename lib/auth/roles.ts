/*
 * Owns who may do what to whom: one rule a line, pure. The security fact: the rules are asked twice,
 * by the page that shows a button and by the function that writes, the second time about the rows as
 * they are then. The role travels with the session's lookup, so a change counts at the next request.
 * A third role is a word here, a constraint in lib/db/schema/users.ts, and the rules that name it.
 */

export const roles = ["user", "admin"] as const;
export type Role = (typeof roles)[number];

type Somebody = { id: string };
type Acting = Somebody & { role: Role };

const isAdmin = (actor: Acting) => actor.role === "admin";
const isOther = (actor: Acting, target: Somebody) => actor.id !== target.id;

// What ends or lifts rights is never for oneself: an administrator who errs must be able to undo it.
const rules = {
  "change-role": (actor, target) => isAdmin(actor) && isOther(actor, target),
  suspend: (actor, target) => isAdmin(actor) && isOther(actor, target),
  reinstate: (actor, target) => isAdmin(actor) && isOther(actor, target),
  "log-out": (actor, target) => isAdmin(actor) && isOther(actor, target),
  "send-reset": isAdmin,
} satisfies Record<string, (actor: Acting, target: Somebody) => boolean>;

export type AdminAction = keyof typeof rules;

export function can(actor: Acting, action: AdminAction, target: Somebody): boolean {
  return rules[action](actor, target);
}
