import { defineConfig } from "drizzle-kit";
import { given } from "./lib/env";

export default defineConfig({
  dialect: "postgresql",
  schema: "./lib/db/schema/*.ts",
  out: "./drizzle",
  dbCredentials: { url: given("DATABASE_URL") ?? "" },
});
