// The twin of testdata/handlers/bench/main.go, as far as the benchmark uses it.
import { DurableObject } from "cloudflare:workers";

// The benchmark edits this line when it measures the loop from a save to its answer.
const version = "as it is";

export default {
  fetch(request, env) {
    if (new URL(request.url).pathname === "/version") return new Response(version + "\n");
    return env.BENCH.getByName(request.headers.get("Object")).fetch(request);
  },
};

export class Bench extends DurableObject {
  async fetch(request) {
    const url = new URL(request.url);
    const n = Number(url.searchParams.get("n"));
    const storage = this.ctx.storage;
    switch (url.pathname) {
      case "/table":
        storage.sql.exec("CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY, value TEXT)");
        break;
      case "/insert":
        for (let i = 0; i < n; i++) storage.sql.exec("INSERT OR REPLACE INTO entries VALUES (?, ?)", i % 100, "value");
        break;
      case "/select":
        for (let i = 0; i < n; i++) storage.sql.exec("SELECT value FROM entries WHERE id = ?", i % 100).one();
        break;
      case "/put":
        for (let i = 0; i < n; i++) await storage.put("key" + (i % 100), i);
        break;
      case "/get":
        for (let i = 0; i < n; i++) await storage.get("key" + (i % 100));
        break;
    }
    return new Response("hello\n");
  }
}
