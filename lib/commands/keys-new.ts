import { privateJwk } from "@/lib/dev/secrets";

/** `npm run keys:new`: a value for JWT_PRIVATE_JWKS, and nothing else, so that it can be piped. */
console.log(JSON.stringify({ keys: [privateJwk()] }));
