import { openDatabase } from "./database";

/* Runs before each test file. */

await openDatabase();
