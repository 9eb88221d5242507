import { redirect } from "next/navigation";
import { requireSession } from "@/lib/auth/current";

export default async function SettingsPage() {
  await requireSession("/settings");
  redirect("/settings/profile");
}
