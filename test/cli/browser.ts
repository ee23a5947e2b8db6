/** A page of ours in headless Chromium, without a network. */

import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { chromium, type Page } from "playwright-core";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Why there is no browser; undefined when there is one. */
export const noBrowser: string | undefined = existsSync(executablePath)
  ? undefined
  : `${executablePath} does not exist (apt-get install chromium, or set CHROMIUM)`;

const flags = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
];

/** Opens the file, lets `look` see it, and returns everything that went wrong in the page meanwhile. */
export async function browse(file: string, look: (page: Page) => Promise<void>): Promise<string[]> {
  const browser = await chromium.launch({ executablePath, args: flags, timeout: 90_000 });
  try {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    context.setDefaultTimeout(90_000);
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    page.on("pageerror", ({ message }) => complaints.push(message));
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith("file:") && !url.startsWith("data:")) complaints.push(`asks for ${url}`);
    });
    await page.goto(pathToFileURL(file).href);
    await look(page);
    return complaints;
  } finally {
    await browser.close();
  }
}
