import { describe, expect, it } from "vitest";
import { z } from "zod";
import { checkbox, email, name, password } from "@/lib/fields";
import { readForm, typedValues } from "@/lib/form";

const schema = z.object({ email, password, remember: checkbox });
const SECRET = "kelp otter zinc";

/** Returns a form as a browser sends it: fields in order, including repeated ones. */
function formOf(...fields: [string, string | Blob][]): FormData {
  const form = new FormData();
  for (const [name, value] of fields) form.append(name, value);
  return form;
}

describe("readForm", () => {
  it("returns the fields as the schema transforms them", () => {
    const form = formOf(["email", " Name@Example.com"], ["password", SECRET], ["remember", "on"]);
    expect(readForm(schema, form)).toEqual({
      ok: true,
      data: { email: "name@example.com", password: SECRET, remember: true },
    });
  });

  it("ignores fields that the schema does not name, also Next's own", () => {
    const form = formOf(["email", "a@example.com"], ["password", SECRET], ["$ACTION_ID_1", ""]);
    form.append("role", "admin");
    expect(readForm(schema, form)).toMatchObject({ ok: true });
    expect(JSON.stringify(readForm(schema, form))).not.toContain("admin");
  });

  it("has a sentence for each missing field", () => {
    expect(readForm(schema, formOf())).toEqual({
      ok: false,
      state: {
        errors: { email: "Enter your email.", password: "Enter your password." },
        values: {},
      },
    });
  });

  it("returns the typed values unchanged, but never a secret", () => {
    const answer = readForm(schema, formOf(["email", " Not An Address"], ["password", SECRET]));
    expect(answer).toMatchObject({ ok: false, state: { values: { email: " Not An Address" } } });
    expect(JSON.stringify(answer)).not.toContain(SECRET);
  });

  it("refuses a field that came twice instead of guessing", () => {
    const form = formOf(
      ["email", "a@example.com"],
      ["email", "b@example.com"],
      ["password", SECRET],
    );
    const answer = readForm(schema, form);
    expect(answer).toEqual({
      ok: false,
      state: { errors: { email: "Send this field only once." } },
    });
  });

  it.each([undefined, null, "text", {}, [], { get: () => "x", getAll: () => [] }])(
    "treats %j, which is no form, as a form without fields",
    (argument) => {
      const called = argument as unknown as FormData; // the caller chooses an action's argument
      expect(readForm(schema, called)).toEqual(readForm(schema, formOf()));
      expect(typedValues(schema, called)).toEqual({});
    },
  );

  it("refuses a file in a text field", () => {
    const form = formOf(["email", new Blob(["a@example.com"])], ["password", new Blob([SECRET])]);
    expect(readForm(schema, form)).toEqual({
      ok: false,
      state: {
        errors: { email: "Enter your email.", password: "Enter your password." },
        values: {},
      },
    });
  });

  it("reports one error at a time for a field", () => {
    const strict = z.object({ name: name.regex(/^[A-Z]/, "Start with a capital.") });
    const answer = readForm(strict, formOf(["name", "\0".repeat(101)]));
    expect(answer).toMatchObject({ state: { errors: { name: "Use at most 100 characters." } } });
  });
});

describe("typedValues", () => {
  it.each([
    ["plain", password],
    ["with a rule", password.min(3)],
    ["optional", password.optional()],
    ["with a default", password.default("x")],
    ["transformed", password.transform((value) => value.length)],
    ["optional, then transformed", password.optional().transform((value) => value ?? "")],
    ["piped", password.pipe(z.string().max(10))],
    ["prepared before", z.preprocess((value) => value, password)],
  ])("never holds a secret: %s", (_, field) => {
    const values = typedValues(
      z.object({ secret: field, name }),
      formOf(["secret", SECRET], ["name", "x"]),
    );
    expect(values).toEqual({ name: "x" });
  });

  it("is short, whatever was sent", () => {
    const values = typedValues(z.object({ name }), formOf(["name", "x".repeat(1_000_000)]));
    expect(values.name).toHaveLength(10_000);
  });
});
