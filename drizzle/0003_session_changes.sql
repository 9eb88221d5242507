-- Tells listening servers which sessions came and went, in the transaction of the change itself. A
-- trigger and not a part of each statement, so that none can forget it, cascades included. See
-- lib/auth/session-changes.ts for who listens.
create function notify_session_changes() returns trigger language plpgsql as $$
declare
  n int;
begin
  -- What had expired already was nobody's session any more: the hourly clean-up is no news.
  select count(*) into n from changed where expires_at > now();
  if n > 200 then
    perform pg_notify('session_changes', '*');
  else
    perform pg_notify('session_changes', lower(tg_op) || ' ' || id || ' ' || user_id)
    from changed where expires_at > now();
  end if;
  return null;
end $$;--> statement-breakpoint
create trigger sessions_deleted after delete on sessions
  referencing old table as changed
  for each statement execute function notify_session_changes();--> statement-breakpoint
create trigger sessions_inserted after insert on sessions
  referencing new table as changed
  for each statement execute function notify_session_changes();
