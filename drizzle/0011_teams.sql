CREATE TABLE "invitations" (
	"team_id" uuid NOT NULL,
	"id" uuid DEFAULT gen_random_uuid() NOT NULL,
	"email" text NOT NULL,
	"role" text NOT NULL,
	"token_hash" "bytea",
	"invited_by" uuid,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	CONSTRAINT "invitations_team_id_id_pk" PRIMARY KEY("team_id","id"),
	CONSTRAINT "invitations_team_email" UNIQUE("team_id","email"),
	CONSTRAINT "invitations_role" CHECK ("invitations"."role" in ('admin', 'member')),
	CONSTRAINT "invitations_token_hash_length" CHECK (octet_length("invitations"."token_hash") = 32),
	CONSTRAINT "invitations_email_normalised" CHECK ("invitations"."email" = lower("invitations"."email" collate "C") and length("invitations"."email") <= 254)
);
--> statement-breakpoint
CREATE TABLE "members" (
	"team_id" uuid NOT NULL,
	"user_id" uuid NOT NULL,
	"role" text NOT NULL,
	"joined_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "members_team_id_user_id_pk" PRIMARY KEY("team_id","user_id"),
	CONSTRAINT "members_role" CHECK ("members"."role" in ('owner', 'admin', 'member'))
);
--> statement-breakpoint
CREATE TABLE "team_keys" (
	"team_id" uuid NOT NULL,
	"id" uuid DEFAULT gen_random_uuid() NOT NULL,
	"created_by" uuid,
	"name" text NOT NULL,
	"prefix" text NOT NULL,
	"key_hash" "bytea" NOT NULL,
	"scopes" text[] NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp with time zone,
	"last_used_at" timestamp with time zone,
	CONSTRAINT "team_keys_team_id_id_pk" PRIMARY KEY("team_id","id"),
	CONSTRAINT "team_keys_key_hash_length" CHECK (octet_length("team_keys"."key_hash") = 32),
	CONSTRAINT "team_keys_name_length" CHECK (length("team_keys"."name") between 1 and 100)
);
--> statement-breakpoint
CREATE TABLE "teams" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"handle" text NOT NULL,
	"name" text NOT NULL,
	"requires_strong" boolean DEFAULT false NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "teams_handle_shape" CHECK ("teams"."handle" ~ '^[a-z0-9]{10}$'),
	CONSTRAINT "teams_name_length" CHECK (length("teams"."name") between 1 and 60)
);
--> statement-breakpoint
ALTER TABLE "audit_events" ADD COLUMN "team_id" uuid;--> statement-breakpoint
ALTER TABLE "invitations" ADD CONSTRAINT "invitations_team_id_teams_id_fk" FOREIGN KEY ("team_id") REFERENCES "public"."teams"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "invitations" ADD CONSTRAINT "invitations_invited_by_users_id_fk" FOREIGN KEY ("invited_by") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "members" ADD CONSTRAINT "members_team_id_teams_id_fk" FOREIGN KEY ("team_id") REFERENCES "public"."teams"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "members" ADD CONSTRAINT "members_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "team_keys" ADD CONSTRAINT "team_keys_team_id_teams_id_fk" FOREIGN KEY ("team_id") REFERENCES "public"."teams"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "team_keys" ADD CONSTRAINT "team_keys_created_by_users_id_fk" FOREIGN KEY ("created_by") REFERENCES "public"."users"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "invitations_token_hash" ON "invitations" USING btree ("token_hash");--> statement-breakpoint
CREATE INDEX "invitations_email" ON "invitations" USING btree ("email");--> statement-breakpoint
CREATE INDEX "invitations_invited_by" ON "invitations" USING btree ("invited_by");--> statement-breakpoint
CREATE INDEX "invitations_expires_at" ON "invitations" USING btree ("expires_at");--> statement-breakpoint
CREATE INDEX "members_user" ON "members" USING btree ("user_id");--> statement-breakpoint
CREATE UNIQUE INDEX "team_keys_key_hash" ON "team_keys" USING btree ("key_hash");--> statement-breakpoint
CREATE INDEX "team_keys_created_by" ON "team_keys" USING btree ("created_by");--> statement-breakpoint
CREATE UNIQUE INDEX "teams_handle" ON "teams" USING btree ("handle");--> statement-breakpoint
CREATE INDEX "teams_newest" ON "teams" USING btree ("created_at","id");--> statement-breakpoint
CREATE INDEX "teams_search" ON "teams" USING gin (("handle" || ' ' || lower("name")) gin_trgm_ops);--> statement-breakpoint
ALTER TABLE "audit_events" ADD CONSTRAINT "audit_events_team_id_teams_id_fk" FOREIGN KEY ("team_id") REFERENCES "public"."teams"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "audit_events_team" ON "audit_events" USING btree ("team_id","id") WHERE "audit_events"."team_id" is not null;--> statement-breakpoint
-- Whatever statement removes an owner, a cascade from users included: at commit the team has another.
-- Two transactions that remove one owner each meet at the team's row.
create function team_keeps_an_owner() returns trigger language plpgsql as $$ begin
  perform from teams where id = old.team_id for no key update;
  if found and not exists (select from members where team_id = old.team_id and role = 'owner') then
    raise exception 'a team would have no owner' using errcode = 'check_violation', constraint = 'team_keeps_an_owner';
  end if;
  return null;
end $$;--> statement-breakpoint
create constraint trigger team_keeps_an_owner_deleted after delete on members deferrable initially deferred
  for each row when (old.role = 'owner') execute function team_keeps_an_owner();--> statement-breakpoint
create constraint trigger team_keeps_an_owner_updated after update of role on members deferrable initially deferred
  for each row when (old.role = 'owner' and new.role <> 'owner') execute function team_keeps_an_owner();--> statement-breakpoint
-- Tells listening servers whose membership changed: see lib/auth/sessions/events.ts for who listens.
create function notify_member_changes() returns trigger language plpgsql as $$ begin
  if (select count(*) from changed) > 200 then
    perform pg_notify('session_changes', 'member *');
  else
    perform pg_notify('session_changes', 'member ' || user_id || ' ' || team_id) from changed;
  end if;
  return null;
end $$;--> statement-breakpoint
create trigger members_inserted after insert on members
  referencing new table as changed
  for each statement execute function notify_member_changes();--> statement-breakpoint
create trigger members_updated after update on members
  referencing new table as changed
  for each statement execute function notify_member_changes();--> statement-breakpoint
create trigger members_deleted after delete on members
  referencing old table as changed
  for each statement execute function notify_member_changes();
