import type { Client } from "./http";

/**
 * Who acts in a request: a user, by the session with this id, or by an API key (`id` null). Each
 * `Session` is one.
 */
export type Actor = { id: string | null; userId: string; client: Client };
