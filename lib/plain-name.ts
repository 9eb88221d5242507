/**
 * Returns a name that a user typed as it may appear in a mail or beside a Log out button: at most
 * 40 characters on one line, without anything that a mail client turns into a link. An attacker who
 * is logged in can choose such names, and the owner reads them. Empty if nothing is left. The
 * caller must still escape HTML.
 */
export function plainName(typed: string): string {
  const text = typed
    .normalize("NFKC") // full-width dots, colons and letters become the ASCII that links consist of
    .replaceAll(/[\t\n\r]/g, " ")
    // Controls, bidi overrides, zero-width and unassigned characters: they hide or reorder text.
    .replaceAll(/[\p{C}\p{Default_Ignorable_Code_Point}]/gu, "")
    .replaceAll(/\S*:\/\/\S*|\bwww\.\S*/gi, "")
    // Mail clients turn example.com, mailto:x and a@b into links by themselves.
    .replaceAll(/(?<=\S)[.。:@](?=\S)/gu, " ")
    .replaceAll(/["“”„‟]/g, "'") // mails quote the name
    .replaceAll(/\s+/g, " ")
    .trim();
  const characters = [...text];
  return characters.length <= MAX ? text : `${characters.slice(0, MAX - 1).join("")}…`;
}

// Enough to recognise a name, too short for a message with instructions.
const MAX = 40;
