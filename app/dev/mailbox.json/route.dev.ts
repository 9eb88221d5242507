import { isLoopbackHost } from "@/lib/http";
import { listMails } from "@/lib/mail/mailbox";

/**
 * The mailbox for scripts, newest first. `?to=` filters by email. Its file name excludes
 * it from builds.
 */
export async function GET(request: Request): Promise<Response> {
  if (!isLoopbackHost(request.headers.get("host")))
    return new Response("Not found\n", { status: 404 });
  const to = new URL(request.url).searchParams.get("to") ?? undefined;
  return Response.json(await listMails(to), { headers: { "Cache-Control": "no-store" } });
}
