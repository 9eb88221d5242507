import { redirect } from "next/navigation";
import { requireSession } from "@/lib/web/session";

export default async function SettingsPage() {
  await requireSession("/settings");
  redirect("/settings/profile");
}
