/** Password managers send their users here: https://w3c.github.io/webappsec-change-password-url/ */
export function GET(): Response {
  return new Response(null, { status: 302, headers: { Location: "/settings/password" } });
}
