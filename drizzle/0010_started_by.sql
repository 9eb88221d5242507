-- A user who was setting up an app scans again: the session that started it is not known.
DELETE FROM "totp_secrets" WHERE "confirmed_at" IS NULL;--> statement-breakpoint
DROP INDEX "totp_secrets_started";--> statement-breakpoint
ALTER TABLE "totp_secrets" ADD COLUMN "started_by" uuid;--> statement-breakpoint
ALTER TABLE "totp_secrets" ADD CONSTRAINT "totp_secrets_started_by_sessions_id_fk" FOREIGN KEY ("started_by") REFERENCES "public"."sessions"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "totp_secrets_started_by" ON "totp_secrets" USING btree ("started_by");--> statement-breakpoint
ALTER TABLE "totp_secrets" ADD CONSTRAINT "totp_secrets_confirmed_or_started" CHECK (("totp_secrets"."confirmed_at" is null) = ("totp_secrets"."started_by" is not null));