import type { Metadata } from "next";
import { PageHeader } from "@/app/_ui/page";
import { requireTeam } from "@/lib/web/team";

export const metadata: Metadata = { title: "Projects" };

export default async function ProjectsPage({ params }: PageProps<"/t/[team]">) {
  const { team } = await params;
  await requireTeam(team);
  return <PageHeader title="Projects" />;
}
