/* What stands out about a user. Most are active users, and have none. */

export function AdminBadge() {
  return (
    <span className="rounded-full bg-accent-soft px-2.5 py-0.5 text-xs font-medium text-accent">
      Admin
    </span>
  );
}

export function SuspendedBadge() {
  return (
    <span className="rounded-full bg-danger-soft px-2.5 py-0.5 text-xs font-medium text-danger">
      Suspended
    </span>
  );
}
