import { Icon } from "@/app/_ui/icon";
import { Badge } from "@/app/_ui/page";
import { billingIsOn } from "@/lib/billing/entitlements";
import { basicPlan, limitsOf } from "@/lib/billing/plans";
import { product } from "@/lib/product";

const points = [
  {
    title: "A session is a row",
    text: "The cookie only points to it. Delete the row, and the next request is anonymous: no token is left to expire.",
  },
  {
    title: "A stolen database gives no access",
    text: "Tokens are stored as SHA-256, passwords as argon2id. A copy of the tables cannot log in.",
  },
  {
    title: "Yours in one command",
    text: "Postgres, mail and demo users come with npm install. No Docker, no account, no .env to edit.",
  },
];

export default function Landing() {
  return (
    <div className="mx-auto max-w-5xl px-4 py-10 sm:px-6 sm:py-16">
      <div className="grid items-center gap-10 lg:grid-cols-[1.1fr_1fr]">
        <div>
          <h1 className="text-4xl font-semibold tracking-tight text-balance sm:text-5xl">
            {product.tagline}
          </h1>
          <p className="mt-4 max-w-prose text-lg text-pretty text-muted">
            {product.name} is a Next.js starter with sign-up, login and a list of every device that
            is logged in. Log one out, and its very next request is refused.
          </p>
          <div className="mt-7 flex flex-wrap gap-3">
            <a href="/signup" className="button-primary min-h-11 px-5">
              Create an account
            </a>
            <a href="/login" className="button min-h-11 px-5">
              Log in
            </a>
          </div>
          {billingIsOn() && <Price />}
        </div>
        <Sample />
      </div>
      <dl className="mt-12 grid gap-6 border-t border-line pt-8 sm:mt-16 sm:grid-cols-3 sm:gap-8">
        {points.map(({ title, text }) => (
          <div key={title}>
            <dt className="font-medium">{title}</dt>
            <dd className="mt-1.5 text-sm text-pretty text-muted">{text}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

function Price() {
  return (
    <p className="mt-4 text-sm text-muted">
      Free for teams of up to {limitsOf(basicPlan).members}.{" "}
      <a href="/pricing" className="link">
        See the prices
      </a>
    </p>
  );
}

/** A picture of the devices page, built from its own elements. It has no controls. */
function Sample() {
  return (
    <div aria-hidden className="card divide-y divide-line shadow-sm select-none">
      <Row
        icon={<Icon name="laptop" className="size-5" />}
        device="Chrome on Linux"
        note="Active now"
        badge
      />
      <Row
        icon={<Icon name="smartphone" className="size-5" />}
        device="Safari on iPhone"
        note="3 hours ago"
      />
      <Row
        icon={<Icon name="laptop" className="size-5" />}
        device="Firefox on Windows"
        note="Logged out"
        ended
      />
    </div>
  );
}

function Row({
  icon,
  device,
  note,
  badge,
  ended,
}: {
  icon: React.ReactNode;
  device: string;
  note: string;
  badge?: boolean;
  ended?: boolean;
}) {
  return (
    <div className="flex items-center gap-3 p-4 sm:p-5">
      <span className="text-muted">{icon}</span>
      <div className="min-w-0 text-sm">
        <p className={`font-medium ${ended ? "line-through" : ""}`}>{device}</p>
        <p className="text-muted">{note}</p>
      </div>
      <span className="ml-auto">
        {badge ? (
          <Badge>This device</Badge>
        ) : ended ? null : (
          <span className="button min-h-8 px-3 text-xs">Log out</span>
        )}
      </span>
    </div>
  );
}
