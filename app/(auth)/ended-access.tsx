/** List items: what a link that undoes an attack ends. lib/auth/revocation.ts does it. */
export function EndedAccess() {
  return (
    <>
      <li>Every device and every app is logged out.</li>
      <li>The password stops working, if there is one. We send you a link to set a new one.</li>
      <li>All API keys are revoked. Servers and scripts that use them stop working.</li>
      <li>Two-factor is turned off, if it was turned on since the event that the email reports.</li>
      <li>Recovery codes that were made since then stop working.</li>
      <li>Passkeys that were added since then are removed.</li>
      <li>Connected accounts that were connected or used to log in since then are removed.</li>
    </>
  );
}
