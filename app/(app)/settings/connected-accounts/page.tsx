import type { Metadata } from "next";
import { Form, Submit } from "@/app/_ui/form";
import { Notice } from "@/app/_ui/notice";
import { EmptyState, PageHeader } from "@/app/_ui/page";
import { ProviderButton } from "@/app/_ui/provider-button";
import { providerNotices } from "@/app/_ui/provider-notices";
import { Time } from "@/app/_ui/time";
import { type Identity, listIdentities } from "@/lib/auth/credentials/identities";
import type { Provider } from "@/lib/auth/credentials/providers";
import { database } from "@/lib/db/client";
import { providers } from "@/lib/web/providers";
import { requireSession } from "@/lib/web/session";
import { disconnectAccount } from "./actions";

export const metadata: Metadata = { title: "Connected accounts" };

const notices = {
  disconnected: "The account is disconnected. Devices that logged in with it are logged out.",
  "check-your-email":
    "Check your email. We have sent a link to the email that your provider named.",
  confirmed: {
    info: "You have confirmed that it is you. Nothing has been done yet: press the button again.",
  },
};

export default async function ConnectedAccountsPage({
  searchParams,
}: PageProps<"/settings/connected-accounts">) {
  const session = await requireSession("/settings/connected-accounts");
  const { notice } = await searchParams;
  const connected = await listIdentities(database(), session.userId);
  const configured = providers();
  const sentences = { ...notices, ...providerNotices(configured, { isLoggedIn: true }) };
  const others = configured.filter(
    ({ issuer }) => !connected.some((identity) => identity.issuer === issuer),
  );
  return (
    <>
      <PageHeader title="Connected accounts">
        Accounts elsewhere that you can log in with. We never get the password you have there, and
        keep no access to that account.
      </PageHeader>
      <Notice notice={notice} sentences={sentences} />
      {connected.length === 0 && others.length === 0 ? (
        <EmptyState>There is no provider to connect.</EmptyState>
      ) : (
        <ul className="card divide-y divide-line">
          {connected.map((identity) => (
            <ConnectedRow key={identity.id} identity={identity} configured={configured} />
          ))}
          {others.map((provider) => (
            <li
              key={provider.id}
              className="flex flex-wrap items-center justify-between gap-3 p-4 sm:p-5"
            >
              <h2 className="font-medium first-letter:uppercase">{provider.name}</h2>
              <form method="post">
                <input type="hidden" name="purpose" value="connect" />
                <ProviderButton provider={provider.id} name={provider.name} label="Connect" />
              </form>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function ConnectedRow({ identity, configured }: { identity: Identity; configured: Provider[] }) {
  const provider = configured.find(({ issuer }) => issuer === identity.issuer);
  const name = provider?.name ?? new URL(identity.issuer).host;
  return (
    <li className="flex flex-wrap items-start justify-between gap-3 p-4 sm:p-5">
      <div className="min-w-0">
        <h2 className="font-medium first-letter:uppercase">{name}</h2>
        <p className="text-sm wrap-anywhere">{identity.label}</p>
        <p className="text-sm text-muted">
          Connected <Time at={identity.createdAt} />, last used{" "}
          {identity.lastUsedAt ? <Time at={identity.lastUsedAt} /> : "never"}.
        </p>
        {!provider && (
          <p className="text-sm text-muted">You cannot log in with it here at the moment.</p>
        )}
      </div>
      <Form action={disconnectAccount} className="grid gap-2">
        <input type="hidden" name="id" value={identity.id} />
        <Submit className="button justify-self-start">
          Disconnect<span className="sr-only"> {name}</span>
        </Submit>
      </Form>
    </li>
  );
}
