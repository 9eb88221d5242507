/**
 * Starts a visit to a provider with the fields of the surrounding form. It bypasses the form's own
 * action, so it works without JavaScript and needs no valid fields.
 */
export function ProviderButton({
  provider,
  name,
  label = "Continue with",
}: {
  /** The provider's path segment. */
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
