CREATE TABLE "identities" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"user_id" uuid NOT NULL,
	"issuer" text NOT NULL,
	"subject" text NOT NULL,
	"provider" text NOT NULL,
	"label" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"last_used_at" timestamp with time zone,
	CONSTRAINT "identities_issuer_length" CHECK (length("identities"."issuer") between 1 and 255),
	CONSTRAINT "identities_subject_length" CHECK (length("identities"."subject") between 1 and 255),
	CONSTRAINT "identities_label_length" CHECK (length("identities"."label") between 1 and 254)
);
--> statement-breakpoint
CREATE TABLE "provider_visits" (
	"state_hash" "bytea" PRIMARY KEY NOT NULL,
	"browser_hash" "bytea" NOT NULL,
	"provider" text NOT NULL,
	"purpose" text NOT NULL,
	"session_id" uuid,
	"next" text,
	"persistent" boolean NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	CONSTRAINT "provider_visits_state_hash_length" CHECK (octet_length("provider_visits"."state_hash") = 32),
	CONSTRAINT "provider_visits_browser_hash_length" CHECK (octet_length("provider_visits"."browser_hash") = 32),
	CONSTRAINT "provider_visits_purpose" CHECK ("provider_visits"."purpose" in ('log-in', 'connect', 'confirm')),
	CONSTRAINT "provider_visits_session" CHECK (("provider_visits"."purpose" = 'log-in') = ("provider_visits"."session_id" is null)),
	CONSTRAINT "provider_visits_next_length" CHECK (length("provider_visits"."next") <= 2000)
);
--> statement-breakpoint
ALTER TABLE "pending_sign_ups" ADD COLUMN "issuer" text;--> statement-breakpoint
ALTER TABLE "pending_sign_ups" ADD COLUMN "subject" text;--> statement-breakpoint
ALTER TABLE "pending_sign_ups" ADD COLUMN "provider" text;--> statement-breakpoint
ALTER TABLE "pending_sign_ups" ADD COLUMN "label" text;--> statement-breakpoint
ALTER TABLE "pending_sign_ups" ADD COLUMN "name" text;--> statement-breakpoint
ALTER TABLE "pending_sign_ups" ADD COLUMN "browser_hash" "bytea";--> statement-breakpoint
ALTER TABLE "identities" ADD CONSTRAINT "identities_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "identities_issuer_subject" ON "identities" USING btree ("issuer","subject");--> statement-breakpoint
CREATE UNIQUE INDEX "identities_user_issuer" ON "identities" USING btree ("user_id","issuer");--> statement-breakpoint
CREATE INDEX "provider_visits_expires_at" ON "provider_visits" USING btree ("expires_at");--> statement-breakpoint
ALTER TABLE "pending_sign_ups" ADD CONSTRAINT "pending_sign_ups_identity" CHECK (num_nulls("pending_sign_ups"."issuer", "pending_sign_ups"."subject", "pending_sign_ups"."provider", "pending_sign_ups"."label", "pending_sign_ups"."name", "pending_sign_ups"."browser_hash") in (0, 6));--> statement-breakpoint
ALTER TABLE "pending_sign_ups" ADD CONSTRAINT "pending_sign_ups_browser_hash_length" CHECK (octet_length("pending_sign_ups"."browser_hash") = 32);