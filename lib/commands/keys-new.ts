import { privateJwk } from "@/lib/dev/secrets";

/** `npm run keys:new`: prints a value for JWT_PRIVATE_JWKS and nothing else, for use in a pipe. */
console.log(JSON.stringify({ keys: [privateJwk()] }));
