import { Field } from "@/app/_ui/field";
import { Form, Submit } from "@/app/_ui/form";
import { teamPolicy } from "@/lib/teams/policy";
import { createTeam } from "./actions";

/** The form that creates a team, for the dashboard of a user without one and for the teams page. */
export function NewTeam() {
  return (
    <Form action={createTeam} className="grid max-w-md gap-4">
      <Field
        name="name"
        label="Name of the team"
        hint="Such as your company. You can change it later."
        autoComplete="organization"
        maxLength={teamPolicy.nameLength}
      />
      <Submit className="button-primary justify-self-start">Create team</Submit>
    </Form>
  );
}
