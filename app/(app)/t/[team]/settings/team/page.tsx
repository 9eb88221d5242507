import type { Metadata } from "next";
import { Field } from "@/app/_ui/field";
import { Form, Submit } from "@/app/_ui/form";
import { Notice } from "@/app/_ui/notice";
import { PageHeader, Section } from "@/app/_ui/page";
import { teamPolicy } from "@/lib/teams/policy";
import { can } from "@/lib/teams/roles";
import { requireTeam } from "@/lib/web/team";
import { renameTeam } from "./actions";

export const metadata: Metadata = { title: "Team" };

const notices = {
  renamed: "The team is renamed.",
};

export default async function TeamPage({
  params,
  searchParams,
}: PageProps<"/t/[team]/settings/team">) {
  const scope = await requireTeam((await params).team, "/settings/team");
  const { notice } = await searchParams;
  return (
    <>
      <PageHeader title="Team" />
      <Notice notice={notice} sentences={notices} />
      {can(scope.role, "rename") && (
        <Section title="Name" description="The members see it, and who is invited.">
          <Form action={renameTeam} className="grid max-w-md gap-4">
            <input type="hidden" name="team" value={scope.handle} />
            <Field
              name="name"
              label="Name"
              autoComplete="organization"
              maxLength={teamPolicy.nameLength}
              defaultValue={scope.name}
            />
            <Submit className="button-primary justify-self-start">Rename</Submit>
          </Form>
        </Section>
      )}
    </>
  );
}
