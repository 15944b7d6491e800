// The twin of templates/batcher, as far as the benchmark uses it: it has no upstream, and nothing reads its queue.
import { DurableObject } from "cloudflare:workers";

const delay = 10_000; // ms
const maxBody = 1 << 20;
const prefix = "item:";

export default {
  fetch(request, env) {
    const name = new URL(request.url).pathname.replace(/^\/+|\/+$/g, "") || "default";
    return env.BATCHER.getByName(name).fetch(request);
  },
};

const itemKey = (n) => prefix + String(n).padStart(12, "0");

export class Batcher extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    ctx.blockConcurrencyWhile(async () => {
      const keys = [...(await ctx.storage.list({ prefix })).keys()];
      this.queued = keys.length;
      this.next = this.queued > 0 ? Number(keys[this.queued - 1].slice(prefix.length)) + 1 : 0;
    });
  }

  async fetch(request) {
    if (request.method !== "POST") {
      return new Response("use POST\n", { status: 405, headers: { Allow: "POST" } });
    }
    const item = new Uint8Array(await request.arrayBuffer());
    if (item.length > maxBody) {
      return new Response(`a body may have ${maxBody} bytes\n`, { status: 413 });
    }
    const storage = this.ctx.storage;
    await storage.put(itemKey(this.next), item);
    this.next++;
    this.queued++;
    const answer = { queued: this.queued };
    if ((await storage.getAlarm()) === null) await storage.setAlarm(Date.now() + delay);
    return new Response(JSON.stringify(answer) + "\n", { headers: { "Content-Type": "application/json" } });
  }

  async alarm() {
    const items = await this.ctx.storage.list({ prefix });
    if (items.size === 0) return;
    console.log(`batch: ${items.size} items`);
    this.queued = this.next = 0;
    await this.ctx.storage.deleteAll();
  }
}
