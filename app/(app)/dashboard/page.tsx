import type { Metadata } from "next";
import { redirect } from "next/navigation";
import { Form, Submit } from "@/app/_ui/form";
import { Icon } from "@/app/_ui/icon";
import { Link } from "@/app/_ui/link";
import { PageHeader, Section } from "@/app/_ui/page";
import { database } from "@/lib/db/client";
import { findHomeTeam } from "@/lib/teams/teams";
import { requireSession } from "@/lib/web/session";
import { teamPath } from "@/lib/web/team";
import { InvitationsForYou } from "../invitations-for-you";
import { NewTeam } from "../new-team";
import { hideFirstSteps } from "./actions";

export const metadata: Metadata = { title: "Dashboard" };

/** Redirects to the team that was opened last. A user without a team creates one here. */
export default async function DashboardPage() {
  const session = await requireSession("/dashboard");
  const home = await findHomeTeam(database(), session);
  if (home) redirect(teamPath(home));
  return (
    <div className="grid gap-8">
      <PageHeader title={`Hello, ${session.user.name}`}>
        You are logged in as {session.user.email}.
      </PageHeader>
      <InvitationsForYou userId={session.userId} />
      <Section
        title="Name your team"
        description="Your work belongs to a team, even if you work alone. You can invite others later."
      >
        <NewTeam />
      </Section>
      {!session.data.firstStepsHidden && <FirstSteps />}
    </div>
  );
}

function FirstSteps() {
  return (
    <section aria-labelledby="first-steps" className="card p-5 sm:p-6">
      <div className="flex items-start justify-between gap-4">
        <h2 id="first-steps" className="font-medium">
          First steps
        </h2>
        <Form action={hideFirstSteps}>
          <Submit className="button -mt-1.5 min-h-8 border-transparent px-2.5 text-muted">
            Hide
          </Submit>
        </Form>
      </div>
      <ul className="mt-3 grid gap-3 sm:grid-cols-2">
        <li>
          <Link
            href="/settings/devices"
            className="flex h-full gap-3 rounded-md border border-line p-4 hover:bg-sunken"
          >
            <Icon name="laptop" className="mt-0.5 size-5 shrink-0 text-accent" />
            <span className="text-sm">
              <span className="block font-medium">See your devices</span>
              <span className="text-muted">
                Log in from a second browser, then log it out from here.
              </span>
            </span>
          </Link>
        </li>
        <li>
          <Link
            href="/settings/profile"
            className="flex h-full gap-3 rounded-md border border-line p-4 hover:bg-sunken"
          >
            <Icon name="user-round" className="mt-0.5 size-5 shrink-0 text-accent" />
            <span className="text-sm">
              <span className="block font-medium">Check your profile</span>
              <span className="text-muted">Your name, as others will see it.</span>
            </span>
          </Link>
        </li>
      </ul>
    </section>
  );
}
