const LOOPBACK = "127.0.0.1";
const EVERY_INTERFACE = "0.0.0.0";

/**
 * Returns the IP address that `npm run dev` listens on: loopback, unless `--host` or `--host
 * <address>` was typed after the command; `--host` alone means every interface. Throws a readable
 * error for anything else.
 */
export function chooseHost(words: string[]): string {
  const [flag, host, ...more] = words.flatMap((word) => word.split("=", 2));
  if (flag === undefined) return LOOPBACK;
  if (flag === "--host" && more.length === 0 && host !== "" && !host?.startsWith("-"))
    return host ?? EVERY_INTERFACE;
  throw new Error(
    `\`npm run dev\` does not know ${words.join(" ")}. It takes \`--host\` (listen on every interface) or \`--host <address>\`: \`npm run dev -- --host\`.`,
  );
}
