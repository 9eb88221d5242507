"use client";

import { type ReactNode, useContext, useEffect, useRef, useState } from "react";
import { FormStateContext } from "./form";

/** A secret that the action has just created, such as an API key. Shown once, never again. */
export function Reveal({
  label,
  file,
  children,
}: {
  label: string;
  /** File name under which the secret can be downloaded as text. */
  file?: string;
  children: ReactNode;
}) {
  const { reveal } = useContext(FormStateContext);
  const [copied, setCopied] = useState(false);
  const box = useRef<HTMLDivElement>(null);

  useEffect(() => {
    setCopied(false);
    if (reveal) box.current?.focus();
  }, [reveal]);

  async function copy() {
    await navigator.clipboard.writeText(reveal ?? "");
    setCopied(true);
  }

  if (!reveal) return null;
  return (
    <div
      ref={box}
      role="status"
      tabIndex={-1}
      className="grid gap-2 rounded-md border border-line bg-accent-soft p-4 text-sm"
    >
      <p className="font-medium">{label}</p>
      <code className="rounded-md border border-line bg-surface px-3 py-2 font-mono max-sm:px-2 max-sm:text-xs break-all whitespace-pre-line select-all">
        {reveal}
      </code>
      <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2">
        <p className="text-muted">{children}</p>
        <div className="flex gap-2">
          {file && (
            <a
              download={file}
              href={`data:text/plain;charset=utf-8,${encodeURIComponent(`${reveal}\n`)}`}
              className="button min-h-9 px-3"
            >
              Download
            </a>
          )}
          <button
            type="button"
            onClick={copy}
            className="button min-h-9 px-3 [@media(scripting:none)]:hidden"
          >
            {copied ? "Copied" : "Copy"}
          </button>
        </div>
      </div>
    </div>
  );
}

/** Shows `children` until the secret appears. */
export function BeforeReveal({ children }: { children: ReactNode }) {
  return useContext(FormStateContext).reveal ? null : children;
}
