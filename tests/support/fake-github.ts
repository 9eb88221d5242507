import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/*
 * A fake GitHub with what a login needs, as a process of its own, at the paths of GitHub Enterprise
 * Server. A message to the process sets the account that is logged in there, or `{ down: true }`.
 */

export type GithubAccount = {
  id: number;
  login: string;
  name?: string | null;
  emails: { email: string; primary: boolean; verified: boolean }[];
  /** The user presses "Cancel". */
  cancels?: boolean;
};

let account: GithubAccount = { id: 1, login: "octocat", emails: [] };
let down = false;
const codes = new Map<string, { challenge: string; account: GithubAccount }>();
const tokens = new Map<string, GithubAccount>();

const server = createServer(async (request, response) => {
  const url = new URL(request.url ?? "/", `http://${request.headers.host}`);
  const json = (body: unknown, status = 200) =>
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
  if (down && !url.pathname.endsWith("/authorize")) return json({ message: "down" }, 503);

  switch (url.pathname) {
    case "/login/oauth/authorize": {
      const back = new URL(url.searchParams.get("redirect_uri") ?? "");
      back.searchParams.set("state", url.searchParams.get("state") ?? "");
      if (account.cancels) {
        back.searchParams.set("error", "access_denied");
        back.searchParams.set("error_description", "<script>alert(1)</script>");
      } else {
        const code = randomBytes(10).toString("hex");
        codes.set(code, { challenge: url.searchParams.get("code_challenge") ?? "", account });
        back.searchParams.set("code", code);
      }
      return response.writeHead(302, { Location: back.href }).end();
    }
    case "/login/oauth/access_token": {
      const form = new URLSearchParams(await bodyOf(request));
      const code = codes.get(form.get("code") ?? "");
      codes.delete(form.get("code") ?? "");
      const verifier = createHash("sha256").update(form.get("code_verifier") ?? "");
      // GitHub responds with 200 even when it refuses.
      if (code?.challenge !== verifier.digest("base64url"))
        return json({ error: "bad_verification_code", error_description: "It is wrong." });
      if (form.get("client_secret") !== "github-secret")
        return json({ error: "incorrect_client_credentials" });
      const token = randomBytes(20).toString("hex");
      tokens.set(token, code.account);
      const granted = { access_token: token, token_type: "bearer", scope: "read:user,user:email" };
      return request.headers.accept?.includes("application/json")
        ? json(granted)
        : response.end(new URLSearchParams(granted).toString());
    }
    case "/api/v3/user":
    case "/api/v3/user/emails": {
      if (!request.headers["user-agent"]) return json({ message: "No User-Agent." }, 403);
      const token = request.headers.authorization?.replace(/^bearer /i, "") ?? "";
      const owner = tokens.get(token);
      if (!owner) return json({ message: "Bad credentials" }, 401);
      const { id, login, name = null, emails } = owner;
      return json(url.pathname.endsWith("/emails") ? emails : { id, login, name });
    }
    default:
      return json({ message: "Not Found" }, 404);
  }
});

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request) body += chunk;
  return body;
}

process.on("message", (message: Partial<GithubAccount> & { down?: boolean }) => {
  down = message.down === true;
  if (message.id !== undefined) account = { emails: [], login: "", ...message, id: message.id };
  process.send?.("ok");
});
server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
process.once("disconnect", () => process.exit());
