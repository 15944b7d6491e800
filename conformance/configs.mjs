// Reads configurations with wrangler's own reader, and writes what it makes of each.
//
//	node configs.mjs WRANGLER CASES VERDICTS
//
// WRANGLER is the module; CASES a JSON file, [{ file, env, show }]; VERDICTS the one to write, [{ error, warnings, config }].
// unstable_readConfig is what all of wrangler's commands call first, under the name readConfig: it finds all that is
// wrong with a file as such. So one process does for all files what `wrangler deploy --dry-run` does for one in seconds.
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [module, cases, verdicts] = process.argv.slice(2);
const { unstable_readConfig } = (await import(pathToFileURL(module))).default;

let said = "";
for (const level of ["debug", "log", "info", "warn", "error"]) {
  console[level] = (...words) => void (said += words.join(" ") + "\n");
}

const all = [];
for (const { file, env, show } of JSON.parse(readFileSync(cases, "utf8"))) {
  said = "";
  const verdict = {};
  try {
    const config = unstable_readConfig({ config: file, env });
    if (show) verdict.config = config;
  } catch (error) {
    verdict.error = String(error.message) || error.name;
  }
  all.push({ ...verdict, warnings: said });
}
writeFileSync(verdicts, JSON.stringify(all));
process.exit(0); // else it waits for its question whether there is a newer wrangler
