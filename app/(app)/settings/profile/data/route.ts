import { exportAccount } from "@/lib/auth/accounts";
import { requireSudo } from "@/lib/auth/current";
import { database } from "@/lib/db/client";

/** "Download my data". */
export async function GET(): Promise<Response> {
  const session = await requireSudo("/settings/profile?notice=confirmed");
  return Response.json(await exportAccount(database(), session), {
    headers: {
      "Cache-Control": "private, no-store",
      "Content-Disposition": 'attachment; filename="my-data.json"',
    },
  });
}
