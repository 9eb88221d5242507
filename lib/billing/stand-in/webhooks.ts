import { createHmac } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { seconds } from "@/lib/time";
import type { Account, Outcome, Webhook } from "./account";
import { newEvent } from "./objects";
import type { Delivery, EventObjects, StoredEvent } from "./state";

/*
 * Records events and delivers them. Security: a webhook is signed as Stripe signs it, with real
 * time, so the receiver's check is the same as in production.
 */

/** Milliseconds before each attempt to deliver an event. */
const RETRY_PAUSES = [0, 200, seconds(1), seconds(5), seconds(20)];

export function record<Type extends keyof EventObjects>(
  account: Account,
  type: Type,
  object: EventObjects[Type],
  at: number,
): void {
  const { state } = account;
  const event = newEvent(type, object, at);
  const status = !account.webhook.url ? "off" : statuses[state.webhooks];
  state.events.push(event);
  state.deliveries[event.id] = { status, attempts: 0, answer: null };
  if (status === "waiting") enqueue(account, [event.id]);
}

const statuses = { send: "waiting", hold: "held", drop: "dropped" } as const;

export function release(account: Account, order: "same" | "reverse" | "twice"): Outcome {
  const { state } = account;
  const held = state.events
    .filter(({ id }) => state.deliveries[id]?.status === "held")
    .map(({ id }) => id);
  for (const id of held) {
    const delivery = state.deliveries[id];
    if (delivery) delivery.status = "waiting";
  }
  state.webhooks = "send";
  if (order === "reverse") enqueue(account, held.reverse());
  else enqueue(account, order === "twice" ? [...held, ...held] : held);
  return { ok: true };
}

/** Queues events, sent one at a time: one that cannot be delivered delays those after it. */
export function enqueue(account: Account, ids: string[]): void {
  account.queue.push(...ids);
  account.sending ??= sendAll(account);
}

async function sendAll(account: Account): Promise<void> {
  await null; // so that `sending` is set before it is cleared
  for (let id = account.queue.shift(); id; id = account.queue.shift()) {
    const event = account.state.events.find((each) => each.id === id);
    const delivery = account.state.deliveries[id];
    if (event && delivery) await deliver(account, event, delivery);
    account.save();
  }
  account.sending = null;
}

async function deliver(account: Account, event: StoredEvent, delivery: Delivery): Promise<void> {
  for (const wait of RETRY_PAUSES) {
    await pause(wait);
    delivery.attempts += 1;
    delivery.answer = await post(account.webhook, event);
    if (!/^2\d\d$/.test(delivery.answer)) continue;
    delivery.status = "delivered";
    event.pending_webhooks = 0;
    return;
  }
  delivery.status = "failed";
}

/** Returns the status of the answer, or the reason why there was none. */
async function post({ url, secret }: Webhook, event: StoredEvent): Promise<string> {
  if (!url) return "no URL is set";
  const body = JSON.stringify(event);
  const time = Math.floor(Date.now() / 1000);
  const signature = createHmac("sha256", secret).update(`${time}.${body}`).digest("hex");
  try {
    const response = await fetch(url, {
      ...{ method: "POST", body, redirect: "manual", signal: AbortSignal.timeout(seconds(10)) },
      headers: {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": `t=${time},v1=${signature}`,
      },
    });
    await response.body?.cancel();
    return String(response.status);
  } catch (error) {
    return error instanceof Error ? error.message : "no answer";
  }
}
