import { z } from "zod";
import { userAgentLabel } from "@/lib/user-agent";

/*
 * Describes when something happened, and from where, for mails. Security: the User-Agent is chosen
 * by the client, who may be an attacker, so a mail contains the user-agent label instead.
 */

/** Part of the payload of a mail with that description. `at` is an ISO 8601 time. */
export const visit = {
  client: z.object({ ip: z.string().nullable(), userAgent: z.string().nullable() }),
  at: z.string(),
};

const moment = new Intl.DateTimeFormat("en-GB", {
  dateStyle: "long",
  timeStyle: "short",
  timeZone: "UTC",
});

/** "on 1 March 2026 at 12:30 (UTC) from Chrome on Linux, IP address 203.0.113.9" */
export function describeVisit({
  at,
  client,
}: {
  at: string;
  client: { ip: string | null; userAgent: string | null };
}): string {
  const from = client.ip ? `, IP address ${client.ip}` : "";
  return `on ${moment.format(new Date(at))} (UTC) from ${userAgentLabel(client.userAgent)}${from}`;
}
