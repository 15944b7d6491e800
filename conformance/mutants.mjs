// Writes mutants of configurations: each value of each file that wrangler accepts, left out or replaced by others.
//
//	node mutants.mjs WRANGLER FOLDER OUT
//
// OUT is a folder; the mutants are JSON files in it, and OUT.json lists them: [{ file, change }].
import { readdirSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [module, folder, out] = process.argv.slice(2);
const { experimental_readRawConfig, unstable_readConfig } = (await import(pathToFileURL(module))).default;
const replacements = ["", "A b", -1, 1.5, true, null, [], [1], {}, { x: 1 }];

// paths yields the path to each value in v.
function* paths(v, path = []) {
  if (path.length > 0) yield path;
  if (v !== null && typeof v === "object") for (const key of Object.keys(v)) yield* paths(v[key], [...path, key]);
}

// changes yields the possible changes of the member key of parent: a description, and a function that makes the change.
function* changes(parent, key) {
  yield ["removed", () => (Array.isArray(parent()) ? parent().splice(key, 1) : delete parent()[key])];
  yield ["repeated", () => Array.isArray(parent()) && parent().push(parent()[key])];
  for (const value of replacements) yield ["= " + JSON.stringify(value), () => (parent()[key] = value)];
}

mkdirSync(out);
const list = [];
const known = new Set();
for (const name of readdirSync(folder).sort()) {
  let text;
  try {
    unstable_readConfig({ config: join(folder, name), env: "" }, { hideWarnings: true });
    text = JSON.stringify(experimental_readRawConfig({ config: join(folder, name) }).rawConfig);
  } catch {
    continue; // wrangler rejects it without a change
  }
  known.add(text);
  for (const path of paths(JSON.parse(text))) {
    const before = path.reduce((v, key) => v[key], JSON.parse(text));
    const change = path.join(".") + " of " + JSON.stringify(before);
    if (known.has(change)) continue; // for example the name, which is the same in most files
    known.add(change);
    let mutant;
    const parent = () => path.slice(0, -1).reduce((v, key) => v[key], mutant);
    for (const [words, apply] of changes(parent, path.at(-1))) {
      mutant = JSON.parse(text);
      apply();
      const content = JSON.stringify(mutant);
      if (known.has(content)) continue;
      known.add(content);
      const file = `${list.length}.json`;
      writeFileSync(join(out, file), content);
      list.push({ file, change: `${name}: ${path.join(".")} ${words}` });
    }
  }
}
writeFileSync(out + ".json", JSON.stringify(list));
process.exit(0);
