/** Milliseconds as Postgres reads an interval, for tests that age rows by a number of the policy. */
export const span = (milliseconds: number): string => `${milliseconds / 1000} seconds`;
