/** Returns milliseconds as a Postgres interval, for tests that age rows by a policy's duration. */
export const span = (milliseconds: number): string => `${milliseconds / 1000} seconds`;
