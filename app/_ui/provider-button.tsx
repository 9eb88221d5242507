/**
 * Begins a visit to a provider, with the fields of the form around it. It leaves the form's own action
 * out, so it works without JavaScript and needs no valid fields.
 */
export function ProviderButton({
  provider,
  name,
  label = "Continue with",
}: {
  /** Its segment of the path. */
  provider: string;
  name: string;
  label?: string;
}) {
  return (
    <button
      type="submit"
      formAction={`/with/${provider}`}
      formMethod="post"
      formEncType="application/x-www-form-urlencoded"
      formNoValidate
      className="button"
    >
      {label} {name}
    </button>
  );
}
