import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { emptyState, type State } from "./state";

/* Reads and writes the file of the state, and limits how much is kept. */

/** How many answers and events are kept. */
const [KEPT_ANSWERS, KEPT_EVENTS] = [1000, 500];

/** Returns the stored state. Its URLs are rewritten: an earlier start may have had another port. */
export function readState(file: string | null, origin: string): State {
  if (!file) return emptyState();
  let state: State;
  try {
    state = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return emptyState(); // it does not exist yet, or is not JSON
  }
  if (state?.version !== emptyState().version) return emptyState();
  for (const invoice of state.invoices)
    invoice.hosted_invoice_url = `${origin}/invoices/${invoice.id}`;
  for (const portal of state.portals) portal.url = `${origin}/portal/${portal.id}`;
  for (const session of state.sessions)
    session.url = session.status === "open" ? `${origin}/checkout/${session.id}` : null;
  return state;
}

export function writeState(file: string, state: State): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, JSON.stringify(state), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

export function forgetOldest(state: State): void {
  state.answers.splice(0, state.answers.length - KEPT_ANSWERS);
  const forgotten = state.events.splice(0, Math.max(0, state.events.length - KEPT_EVENTS));
  for (const { id } of forgotten) delete state.deliveries[id];
}
