import { setEnv } from "@/lib/env";

/* Runs before each test file. */

/** The variables that `npm run dev` would set, for code that calls `env()`. */
setEnv({
  APP_URL: "https://localhost:3443",
  AUTH_SECRET: "dGVzdC1zZWNyZXQtdGVzdC1zZWNyZXQtdGVzdC1zZWNyZXQ",
  ENCRYPTION_KEYS: "dGVzdC1rZXktdGVzdC1rZXktdGVzdC1rZXktdGVzdC0",
  JWT_PRIVATE_JWKS: JSON.stringify({
    keys: [{ kty: "OKP", crv: "Ed25519", x: "test", d: "test", kid: "test" }],
  }),
});
