/* The output of commands: a line per step with its duration, and one sentence for an error. */
import { readVariable } from "@/lib/env";
import { seconds } from "@/lib/time";

const live = Boolean(process.stdout.isTTY);

/** NO_COLOR is a convention: https://no-color.org. */
export const colorful: boolean = live && !readVariable("NO_COLOR");

const paint = (code: number) => (text: string) =>
  colorful ? `\u001b[${code}m${text}\u001b[0m` : text;
export const bold = paint(1);
export const dim = paint(2);
export const red = paint(31);
export const green = paint(32);
export const yellow = paint(33);

export function say(...lines: string[]): void {
  for (const line of lines) process.stdout.write(line ? `  ${line}\n` : "\n");
}

export function warn(line: string): void {
  say(`${yellow("!")} ${line}`);
}

/** Runs a step. Shows what is being done meanwhile, and then what was done and how long it took. */
export async function step<T>(
  doing: string,
  work: () => Promise<T>,
  done: (result: T) => string,
): Promise<T> {
  const start = performance.now();
  if (live) process.stdout.write(dim(`  · ${doing}…`));
  try {
    const result = await work();
    const took = duration(performance.now() - start);
    eraseLine();
    say(`${green("✓")} ${done(result).padEnd(36)} ${dim(took.padStart(7))}`);
    return result;
  } catch (error) {
    eraseLine();
    throw error;
  }
}

function duration(ms: number): string {
  return ms < seconds(1) ? `${ms.toFixed(0)} ms` : `${(ms / seconds(1)).toFixed(1)} s`;
}

function eraseLine(): void {
  if (live) process.stdout.write("\r\u001b[K");
}

/** The results of `migrate` and `seed`, in words. */
export function migrated(applied: number): string {
  if (applied === 0) return "Schema up to date";
  return applied === 1 ? "1 migration applied" : `${applied} migrations applied`;
}

export function seeded(added: boolean): string {
  return added ? "Demo data added" : "Data kept as it is";
}

/** Runs a command to its end. If it throws, prints the error and exits with code 1. */
export function command(main: () => Promise<void>): void {
  main().then(
    () => process.exit(),
    (error: unknown) => {
      process.stderr.write(`\n  ${red("✗")} ${explain(error)}\n\n`);
      process.exit(1);
    },
  );
}

/** Our own errors are readable sentences. Any other is a defect, and is shown with its stack. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const ours = error.name === "Error" || error.name === "EnvError";
  const message = ours && !("code" in error) ? error.message : (error.stack ?? error.message);
  return message.replaceAll("\n", "\n    ");
}

/**
 * Resolves at Ctrl-C or when asked to terminate, and keeps the process alive until then. Further
 * signals are ignored: the terminal and npm may each send one.
 */
export function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      process.on(signal, () => resolve());
    // npm sends SIGTERM to the shell between npm and this process, and the shell ends
    // without passing it on.
    const shell = process.ppid;
    setInterval(() => {
      if (readVariable("npm_lifecycle_event") && process.ppid !== shell) resolve();
    }, seconds(0.5));
  });
}
