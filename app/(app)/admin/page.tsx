import { redirect } from "next/navigation";
import { requireAdmin } from "@/lib/auth/current";

export default async function AdminPage() {
  await requireAdmin("/admin");
  redirect("/admin/users");
}
