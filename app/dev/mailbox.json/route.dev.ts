import { env } from "@/lib/env";
import { listMails } from "@/lib/mail/mailbox";

/** The mailbox for scripts: newest first, `?to=` keeps one address's. Never in production. */
export async function GET(request: Request): Promise<Response> {
  if (env().production) return new Response("Not found\n", { status: 404 });
  const to = new URL(request.url).searchParams.get("to") ?? undefined;
  return Response.json(await listMails(to), { headers: { "Cache-Control": "no-store" } });
}
