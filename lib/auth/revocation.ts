import { type SQL, sql } from "drizzle-orm";
import { apiKeys } from "@/lib/db/schema/api-keys";
import { identities } from "@/lib/db/schema/identities";
import { invitations } from "@/lib/db/schema/invitations";
import { links } from "@/lib/db/schema/links";
import { passkeys } from "@/lib/db/schema/passkeys";
import { passwords } from "@/lib/db/schema/passwords";
import { pendingLogins } from "@/lib/db/schema/pending-logins";
import { recoveryCodes } from "@/lib/db/schema/recovery-codes";
import { sessions } from "@/lib/db/schema/sessions";
import { teamKeys } from "@/lib/db/schema/team-keys";
import { totpSecrets } from "@/lib/db/schema/totp-secrets";
import { users } from "@/lib/db/schema/users";

/*
 * SQL fragments that end access, one for each kind, so that every statement that ends access lists
 * what it ends. The first two belong in the `set` of an update of `users`. The others are CTEs that
 * act on the users of a preceding CTE `changed (user_id, …)`, except `revokedApiKeyCount`. The
 * matrix in README.md shows which event uses which fragment, with a test for each cell.
 */

/**
 * Ends every session at its next request, and every login, password change or reset in progress:
 * each of them requires the version it started with. Deleting the rows is only clean-up.
 */
export const nextAuthVersion: SQL = sql`auth_version = ${users.authVersion} + 1`;

/** Makes every browser unknown: the cookie is bound to the epoch (login/known-browsers.ts). */
export const nextBrowserEpoch: SQL = sql`device_epoch = ${users.browserEpoch} + 1`;

export const endedSessions: SQL = sql`ended_sessions as (
  delete from ${sessions} using changed where ${sessions.userId} = changed.user_id
  returning ${sessions.id})`;

/** Ends all sessions except the one with this id; null ends all of them. */
export const endedSessionsBut = (id: string | null): SQL => sql`ended_sessions as (
  delete from ${sessions} using changed where ${sessions.userId} = changed.user_id
    and ${sessions.id} is distinct from ${id}::uuid
  returning ${sessions.id})`;

/**
 * Ends the sessions and pending logins that began with a passkey or a connected account, whose id
 * is `way` in `changed`.
 */
export const endedSessionsBegunWith: SQL = sql`ended_sessions as (
  delete from ${sessions} using changed where ${sessions.userId} = changed.user_id
    and ${sessions.begunWith} = changed.way
  returning ${sessions.id}),
  ended_logins as (
    delete from ${pendingLogins} using changed where ${pendingLogins.userId} = changed.user_id
      and ${pendingLogins.begunWith} = changed.way)`;

/**
 * Ends the open links that give access. Keeps those that undo an attack: an attacker who makes
 * another change must not take them from the owner.
 */
export const endedLinks: SQL = sql`ended_links as (
  delete from ${links} using changed where ${links.userId} = changed.user_id
    and ${links.purpose} in ('password-reset', 'confirm-browser', 'email-change'))`;

/**
 * Ends all links, also those that undo an attack: for a suspension, and where an attacker may hold
 * one of them.
 */
export const endedAllLinks: SQL = sql`ended_links as (
  delete from ${links} using changed where ${links.userId} = changed.user_id)`;

export const revokedApiKeys: SQL = sql`revoked_api_keys as (
  delete from ${apiKeys} using changed where ${apiKeys.userId} = changed.user_id
  returning ${apiKeys.id})`;

/** Revokes the team keys that the user created and may have a copy of. */
export const revokedTeamKeys: SQL = sql`revoked_team_keys as (
  delete from ${teamKeys} using changed where ${teamKeys.createdBy} = changed.user_id)`;

/** For the detail of the audit event beside `revokedApiKeys`. */
export const revokedApiKeyCount: SQL = sql`jsonb_build_object(
  'apiKeys', (select count(*) from revoked_api_keys))`;

/** Deletes the password: the account has none until its owner sets one through a mailed link. */
export const retiredPassword: SQL = sql`retired_password as (
  delete from ${passwords} using changed where ${passwords.userId} = changed.user_id)`;

/**
 * Disconnects the accounts at providers that were connected or used since `link.since` (see
 * `endedTwoFactor`). An attacker who logged in with one controls it, and the owner can connect
 * their own again.
 */
export const endedIdentities: SQL = sql`ended_identities as (
  delete from ${identities} using changed, link
  where ${identities.userId} = changed.user_id
    and greatest(${identities.createdAt}, ${identities.lastUsedAt}) >= link.since)`;

/** Disconnects all accounts at providers. */
export const removedIdentities: SQL = sql`removed_identities as (
  delete from ${identities} using changed where ${identities.userId} = changed.user_id)`;

/**
 * For a statement that uses a link that undoes an attack (`usedLink`). Ends two-factor that was
 * turned on since the event that the link reports, any app that is not confirmed yet, and recovery
 * codes made since. Keeps older two-factor, also if it was moved to another app since: access to
 * the mailbox alone must not remove it.
 */
export const endedTwoFactor: SQL = sql`ended_two_factor as (
  delete from ${totpSecrets} using changed, link
  where ${totpSecrets.userId} = changed.user_id
    and (${totpSecrets.confirmedAt} is null or ${totpSecrets.since} >= link.since)
  returning ${totpSecrets.userId} as user_id, ${totpSecrets.confirmedAt} as confirmed_at),
  ended_recovery_codes as (
    delete from ${recoveryCodes} using changed, link
    where ${recoveryCodes.userId} = changed.user_id
      and (${recoveryCodes.createdAt} >= link.since
        or exists (select from ended_two_factor where confirmed_at is not null)))`;

/** Like `endedTwoFactor`, for passkeys that were added since. */
export const endedPasskeys: SQL = sql`ended_passkeys as (
  delete from ${passkeys} using changed, link
  where ${passkeys.userId} = changed.user_id and ${passkeys.createdAt} >= link.since)`;

/**
 * Like `endedTwoFactor`, for access that the user gave to others since: invitations to teams and
 * team keys. Keeps older ones, which belong to the team. Keeps members who joined too; the team's
 * audit log names them.
 */
export const endedTeamAccess: SQL = sql`ended_team_keys as (
  delete from ${teamKeys} using changed, link
  where ${teamKeys.createdBy} = changed.user_id and ${teamKeys.createdAt} >= link.since),
  ended_invitations as (
    delete from ${invitations} using changed, link
    where ${invitations.invitedBy} = changed.user_id and ${invitations.createdAt} >= link.since)`;

/** Deletes all open invitations that the user sent. */
export const endedInvitations: SQL = sql`ended_invitations as (
  delete from ${invitations} using changed where ${invitations.invitedBy} = changed.user_id)`;

/** Removes all passkeys. */
export const removedPasskeys: SQL = sql`removed_passkeys as (
  delete from ${passkeys} using changed where ${passkeys.userId} = changed.user_id
  returning ${passkeys.id})`;
