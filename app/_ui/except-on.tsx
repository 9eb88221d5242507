"use client";

import { usePathname } from "next/navigation";
import type { ReactNode } from "react";

/** For a layout: what it draws on all of its pages but this one. */
export function ExceptOn({ path, children }: { path: string; children: ReactNode }) {
  return usePathname() === path ? null : children;
}
