CREATE TABLE "log_in_attempts" (
	"email_hash" "bytea" PRIMARY KEY NOT NULL,
	"failures" integer NOT NULL,
	"tat" timestamp with time zone NOT NULL,
	CONSTRAINT "log_in_attempts_email_hash_length" CHECK (octet_length("log_in_attempts"."email_hash") = 32)
);
--> statement-breakpoint
DROP INDEX "links_user_purpose";--> statement-breakpoint
CREATE INDEX "log_in_attempts_tat" ON "log_in_attempts" USING btree ("tat");--> statement-breakpoint
CREATE UNIQUE INDEX "audit_events_failures" ON "audit_events" USING btree ("user_id","kind",date_trunc('hour', "at" at time zone 'UTC')) WHERE "audit_events"."kind" in ('log-in-failed', 'confirmation-failed');--> statement-breakpoint
CREATE UNIQUE INDEX "links_user_purpose" ON "links" USING btree ("user_id","purpose") WHERE "links"."purpose" in ('password-reset', 'confirm-browser', 'email-change');