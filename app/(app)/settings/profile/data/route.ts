import { exportAccount } from "@/lib/auth/accounts";
import { currentSession } from "@/lib/auth/current";
import { database } from "@/lib/db/client";

/** "Download my data". */
export async function GET(): Promise<Response> {
  const session = await currentSession();
  if (!session) {
    const location = "/login?next=%2Fsettings%2Fprofile";
    return new Response(null, { status: 303, headers: { Location: location } });
  }
  return Response.json(await exportAccount(database(), session), {
    headers: {
      "Cache-Control": "private, no-store",
      "Content-Disposition": 'attachment; filename="my-data.json"',
    },
  });
}
