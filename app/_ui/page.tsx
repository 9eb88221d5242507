import type { ReactNode } from "react";

/*
 * The parts that pages are built from: heading, section, badge, empty state. They have no state and
 * no script of their own, so both server and client components may use them.
 */

/** The heading of a page, with one or two sentences below. Use `small` inside a card. */
export function PageHeader({
  title,
  small = false,
  children,
}: {
  title: ReactNode;
  small?: boolean;
  children?: ReactNode;
}) {
  return (
    <div>
      <h1
        className={`${small ? "text-xl" : "text-2xl"} font-semibold tracking-tight wrap-anywhere`}
      >
        {title}
      </h1>
      {children && (
        <p className={`mt-1 ${small ? "text-sm" : ""} text-pretty wrap-anywhere text-muted`}>
          {children}
        </p>
      )}
    </div>
  );
}

const sectionTones = {
  card: "card p-5 sm:p-6",
  danger: "rounded-lg border border-danger-line bg-surface p-5 sm:p-6",
};

/** A framed section of a page. "danger" is for actions that cannot be undone. */
export function Section({
  title,
  description,
  tone = "card",
  children,
}: {
  title?: string;
  description?: ReactNode;
  tone?: keyof typeof sectionTones;
  children: ReactNode;
}) {
  return (
    <section className={sectionTones[tone]}>
      {title && (
        <div className="mb-4">
          <h2 className="font-medium">{title}</h2>
          {description && (
            <p className="mt-1 text-sm text-pretty wrap-anywhere text-muted">{description}</p>
          )}
        </div>
      )}
      {children}
    </section>
  );
}

const badgeTones = {
  accent: "bg-accent-soft text-accent",
  danger: "bg-danger-soft text-danger",
};

export function Badge({
  tone = "accent",
  children,
}: {
  tone?: keyof typeof badgeTones;
  children: ReactNode;
}) {
  return (
    <span
      className={`rounded-full px-2.5 py-0.5 text-xs font-medium whitespace-nowrap ${badgeTones[tone]}`}
    >
      {children}
    </span>
  );
}

/** Shown in place of a list without rows. */
export function EmptyState({ title, children }: { title?: string; children: ReactNode }) {
  return (
    <div className="rounded-lg border border-dashed border-line-strong p-8 text-center text-muted">
      {title && <h2 className="mb-1 font-medium text-ink">{title}</h2>}
      <p className="mx-auto max-w-prose text-sm text-pretty wrap-anywhere">{children}</p>
    </div>
  );
}

/** Lets password managers know which account a new password belongs to. No action reads it. */
export function UsernameHint({ email }: { email: string }) {
  return (
    <input type="email" name="username" value={email} autoComplete="username" readOnly hidden />
  );
}
