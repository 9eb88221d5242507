-- Servers read what open pages show instead: see lib/auth/sessions/events.ts for why.
drop trigger sessions_inserted on sessions;--> statement-breakpoint
drop trigger sessions_deleted on sessions;--> statement-breakpoint
drop function notify_session_changes();--> statement-breakpoint
drop trigger members_inserted on members;--> statement-breakpoint
drop trigger members_updated on members;--> statement-breakpoint
drop trigger members_deleted on members;--> statement-breakpoint
drop function notify_member_changes();
