import { setEnv } from "@/lib/env";

/** What `npm run dev` would fill in, for code that asks `env()`. */
setEnv({
  APP_URL: "https://localhost:3443",
  AUTH_SECRET: "dGVzdC1zZWNyZXQtdGVzdC1zZWNyZXQtdGVzdC1zZWNyZXQ",
  JWT_PRIVATE_JWKS: JSON.stringify({
    keys: [{ kty: "OKP", crv: "Ed25519", x: "test", d: "test", kid: "test" }],
  }),
});
