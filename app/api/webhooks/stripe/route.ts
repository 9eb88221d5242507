import { answer, json } from "@/app/api/_answer";
import { Problem } from "@/lib/api/problems";
import { receiveEvent } from "@/lib/billing/events";
import { billingProvider } from "@/lib/billing/stripe";
import { database } from "@/lib/db/client";

export const dynamic = "force-dynamic";

const MAX_BYTES = 1024 * 1024;

/** Called by the payment provider when something has changed. Its signature is the proof. */
export function POST(request: Request): Promise<Response> {
  return answer(request, async () => {
    const provider = billingProvider();
    if (!provider) throw new Problem("not-found");
    const payload = await readBytes(request);
    const signature = request.headers.get("stripe-signature");
    const known = payload && (await receiveEvent(database(), provider, payload, signature));
    return known ? json({ received: true }) : new Response(null, { status: 400 });
  });
}

/** Returns null if the body is larger than any event. */
async function readBytes(request: Request): Promise<Buffer | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > MAX_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
