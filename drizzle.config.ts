import { defineConfig } from "drizzle-kit";
import { readVariable } from "./lib/env";

export default defineConfig({
  dialect: "postgresql",
  schema: "./lib/db/schema/*.ts",
  out: "./drizzle",
  dbCredentials: { url: readVariable("DATABASE_URL") ?? "" },
});
