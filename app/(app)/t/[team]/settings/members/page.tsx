import type { Metadata } from "next";
import { Notice } from "@/app/_ui/notice";
import { PageHeader } from "@/app/_ui/page";
import { requireTeam } from "@/lib/web/team";
import { Invitations, invitationNotices } from "./invitations";

export const metadata: Metadata = { title: "Members" };

export default async function MembersPage({
  params,
  searchParams,
}: PageProps<"/t/[team]/settings/members">) {
  const scope = await requireTeam((await params).team, "/settings/members");
  const { notice } = await searchParams;
  return (
    <>
      <PageHeader title="Members" />
      <Notice notice={notice} sentences={invitationNotices} />
      <Invitations scope={scope} />
    </>
  );
}
