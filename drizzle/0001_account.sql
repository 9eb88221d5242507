CREATE TABLE "rate_limits" (
	"key" text PRIMARY KEY NOT NULL,
	"tat" timestamp with time zone NOT NULL
);
--> statement-breakpoint
DROP INDEX "links_user_purpose";--> statement-breakpoint
CREATE INDEX "rate_limits_tat" ON "rate_limits" USING btree ("tat");--> statement-breakpoint
CREATE INDEX "links_user_id" ON "links" USING btree ("user_id");--> statement-breakpoint
CREATE UNIQUE INDEX "links_user_purpose" ON "links" USING btree ("user_id","purpose") WHERE "links"."purpose" in ('password-reset', 'email-change');