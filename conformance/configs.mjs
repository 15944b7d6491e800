// Reads configurations with wrangler's own reader, and writes its verdict on each.
//
//	node configs.mjs WRANGLER CASES VERDICTS
//
// WRANGLER is the module. CASES is a JSON file, [{ file, env, show }]. The script writes VERDICTS,
// [{ error, warnings, config }].
//
// All of wrangler's commands call unstable_readConfig first, under the name readConfig. It finds every fault of a file
// itself. So one process checks all files, where `wrangler deploy --dry-run` takes seconds for one.
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
process.exit(0); // otherwise it waits for its check for a newer wrangler
