import type { Page } from "@playwright/test";
import jsQR from "jsqr";
import { PNG } from "pngjs";
import { product } from "@/lib/product";
import { expect, test } from "@/tests/support/end-to-end";
import { authenticator, fromBase32 } from "@/tests/support/two-factor";

/**
 * Returns what a camera reads from the screen. Inverted codes are not tried: many scanners
 * cannot read them.
 */
async function scan(page: Page): Promise<URL> {
  const { data, width, height } = PNG.sync.read(await page.screenshot({ fullPage: true }));
  const pixels = new Uint8ClampedArray(data);
  const found = jsQR(pixels, width, height, { inversionAttempts: "dontInvert" });
  if (!found) throw new Error("No QR code is readable on this page.");
  return new URL(found.data);
}

for (const [colorScheme, javaScriptEnabled] of [
  ["light", true],
  ["dark", false],
] as const)
  test(`the QR code is read off the ${colorScheme} page, and its app turns two-factor on`, async ({
    user,
    logInElsewhere,
  }) => {
    const page = await logInElsewhere(user, { colorScheme, javaScriptEnabled });
    await page.goto("/settings/two-factor");
    await page.getByRole("button", { name: "Set up" }).click();
    await expect(page.getByRole("img", { name: "QR image of the key" })).toBeVisible();
    const uri = await scan(page);
    expect(uri.href).toMatch(/^otpauth:\/\/totp\//);
    expect(decodeURIComponent(uri.pathname)).toContain(`${product.name}:${user.email}`);
    expect(uri.searchParams.get("issuer")).toBe(product.name);
    const key = `${uri.searchParams.get("secret")}`;
    expect(`${await page.locator("code").textContent()}`.replaceAll(" ", "")).toBe(key);

    const app = authenticator(fromBase32(key));
    await page.getByRole("textbox", { name: "Code" }).fill(app.code());
    await page.getByRole("button", { name: "Turn on" }).click();
    await expect(page.getByText("Two-factor is on. Save your recovery codes")).toBeVisible();
  });
