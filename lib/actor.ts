import type { Client } from "./http";

/**
 * The actor of a request: a user, with the session of this id or with an API key (`id` null). Every
 * `Session` is an `Actor`.
 */
export type Actor = { id: string | null; userId: string; client: Client };
