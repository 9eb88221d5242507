import { notFound } from "next/navigation";
import { z } from "zod";
import { escapeAttribute, staticPage } from "@/app/_ui/static-page";
import { beginAtProvider } from "@/lib/auth/credentials/providers";
import { createVisit, visitSecrets } from "@/lib/auth/login/provider-visits";
import { database, isUnreachable } from "@/lib/db/client";
import { env } from "@/lib/env";
import { checkbox } from "@/lib/fields";
import { readForm } from "@/lib/form";
import { safeNext } from "@/lib/http";
import { consume, network } from "@/lib/rate-limits";
import { keepVisitCookie } from "@/lib/web/cookies";
import { findProvider, redirectUri } from "@/lib/web/providers";
import { currentClient, requireSameOrigin } from "@/lib/web/request";
import { currentSession } from "@/lib/web/session";
import { backTo, seeOther, tooMany } from "../answers";

const schema = z.object({
  purpose: z.enum(["log-in", "connect", "confirm"]).default("log-in"),
  remember: checkbox,
  next: z.string().optional(),
});

const settings = "/settings/connected-accounts";

/**
 * Sends the browser to a provider. Only by POST (CVE-2015-9284: a link on another site must not
 * start a login), and with a page instead of a redirect, which `form-action 'self'` would block.
 */
export async function POST(
  request: Request,
  { params }: RouteContext<"/with/[provider]">,
): Promise<Response> {
  try {
    await requireSameOrigin();
  } catch {
    return new Response("This request does not come from this site.\n", { status: 403 });
  }
  const provider = findProvider((await params).provider);
  if (!provider) notFound();
  const read = readForm(schema, await request.formData().catch(() => new FormData()));
  if (!read.ok) return new Response("This form is malformed.\n", { status: 400 });
  const { purpose, remember, next } = read.data;
  const target = safeNext(next);

  const session = purpose === "log-in" ? null : await currentSession();
  if (purpose !== "log-in" && !session) return seeOther("/login", { next: settings });
  if (purpose === "connect" && session?.sudo === "expired")
    return seeOther("/confirm", { next: `${settings}?notice=confirmed` });

  const here = { "log-in": "/login", connect: settings, confirm: "/confirm" }[purpose];
  const { ip } = await currentClient();
  const taken = await consume(database(), "providerPerAddress", network(ip)).catch(
    nullIfUnreachable,
  );
  if (!taken) return seeOther("/unavailable", { next: here });
  if (!taken.ok) return tooMany(request, taken.retryAfter, here);

  const state = await createVisit(database(), await keepVisitCookie(), {
    ...{ provider: provider.id, purpose, sessionId: session?.id ?? null },
    ...{ next: target, persistent: remember },
  });
  const visit = {
    ...{ redirectUri: redirectUri(provider), state },
    ...visitSecrets(state, env().AUTH_SECRET),
  };
  const ask = { fresh: purpose === "confirm", choose: purpose === "connect" };
  const begun = await beginAtProvider(provider, visit, ask);
  if (!begun.ok) return backTo({ purpose, next: target }, `${provider.id}-${begun.reason}`);
  const label = escapeAttribute(`Continue to ${provider.name}`);
  return staticPage(request.headers, {
    ...{ status: 200, title: label, to: begun.url },
    body: `<h1>${label}</h1>
<p>If this page does not continue by itself, press the button.</p>
<a href="${escapeAttribute(begun.url)}">${label}</a>`,
  });
}

/**
 * Returns null if the database is unreachable, so that the caller redirects. Next's own redirect
 * would make the browser repeat the POST.
 */
function nullIfUnreachable(error: unknown): null {
  if (!isUnreachable(error)) throw error;
  console.error("The database does not answer:", error);
  return null;
}
