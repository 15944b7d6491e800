// The twin of testdata/handlers/conformance for the platform's own runtime. It runs the same operations, sent as JSON,
// and states the same facts. Add a new operation to both.
//
// State that must outlive an instance is in the module and not in the storage, so that the storage holds only what a
// case has put there.

const records = new Map();

function record(name) {
	if (!records.has(name)) records.set(name, { scope: "", trace: [], constructions: 0, construct: [], runs: [], alarms: [] });
	return records.get(name);
}

export default {
	async fetch(request, env) {
		const q = await request.json();
		return Response.json({ facts: await run({ env, scope: q.scope }, q.do ?? []) });
	},
};

export class Mute {
	constructor(state, env) {
		this.state = state;
		this.env = env;
		this.count = 0;
		const r = record(state.id.toString());
		r.constructions++;
		if (r.construct.length > 0) state.blockConcurrencyWhile(() => run({ env, scope: r.scope, obj: this }, r.construct));
	}

	async fetch(request) {
		const q = request.cf;
		const facts = await run({ env: this.env, scope: q.scope, obj: this }, q.do ?? []);
		return new Response(null, { headers: { facts: encodeURIComponent(JSON.stringify(facts)) } });
	}
}

// Plain has no SQLite.
export class Plain extends Mute {}

export class Probe extends Mute {
	// Runs the program that onAlarm has set for this run. The last program also serves all later runs.
	async alarm(info) {
		const r = record(this.state.id.toString());
		const n = r.alarms.length;
		const now = Date.now();
		const entry = { retry: info.retryCount, isRetry: info.isRetry, early: now < info.scheduledTime, wait: 0, facts: [] };
		if (n > 0) entry.wait = powerOfTwo((now - r.alarms[n - 1].ended) / 1000);
		r.alarms.push(entry);
		// After an abort the handler does not run on, so the abort must complete the entry, too.
		this.endAlarm = () => {
			entry.ended = Date.now();
			this.endAlarm = undefined;
		};
		try {
			const program = r.runs[Math.min(n, r.runs.length - 1)] ?? [];
			await run({ env: this.env, scope: r.scope, obj: this }, program, (fact) => entry.facts.push(fact));
		} finally {
			this.endAlarm?.();
		}
	}
}

function powerOfTwo(seconds) {
	let n = 0;
	for (let s = 1; s <= seconds; s *= 2) n = s;
	return n;
}

class Thrown extends Error {}

// RolledBack ends the program of a transaction that is to be undone.
class RolledBack extends Thrown {}

// run runs a program, and passes each fact to each at once. It fails with what the program throws; every other error
// is a fact.
async function run(at, program, each) {
	const facts = [];
	for (const op of program) {
		let fact;
		try {
			if (!operations[op.op]) throw new Thrown(`unknown operation ${op.op}`);
			fact = await operations[op.op](at, op);
		} catch (error) {
			if (error instanceof Thrown) throw error;
			fact = describe(error);
		}
		facts.push(fact);
		each?.(fact);
	}
	return facts;
}

// describe turns an error into a fact that both runtimes can state: all its flags, or "refused" if it has none.
function describe(error) {
	const flags = [];
	if (error.remote) flags.push("remote");
	if (error.durableObjectReset) flags.push("reset");
	if (error.retryable) flags.push("lost");
	if (error.overloaded) flags.push("overloaded");
	const fact = { error: flags.join(" ") || "refused" };
	const why = /case:.*/.exec(error.message);
	if (why) fact.why = why[0];
	return fact;
}

function decode(v) {
	if (Array.isArray(v)) return v.map(decode);
	if (v === null || typeof v !== "object") return v;
	if (typeof v.$bytes === "string") return Uint8Array.from(atob(v.$bytes), (c) => c.charCodeAt(0));
	if (typeof v.$date === "number") return new Date(v.$date);
	if (typeof v.$number === "string") return Number(v.$number);
	if (typeof v.$long === "number") return "x".repeat(v.$long);
	return Object.fromEntries(Object.entries(v).map(([key, value]) => [key, decode(value)]));
}

const longText = 1000;

function encode(v) {
	if (v instanceof ArrayBuffer) return encode(new Uint8Array(v));
	if (v instanceof Uint8Array) {
		let text = "";
		for (const b of v) text += String.fromCharCode(b);
		return { $bytes: btoa(text) };
	}
	if (v instanceof Date) return { $date: v.getTime() };
	if (typeof v === "number" && !Number.isFinite(v)) return { $number: String(v) };
	if (typeof v === "string") return v.length >= longText ? { $long: v.length } : v;
	if (Array.isArray(v)) return v.map(encode);
	if (v === null || typeof v !== "object") return v;
	return Object.fromEntries(Object.entries(v).map(([key, value]) => [key, encode(value)]));
}

function entries(found) {
	return [...found].map(([key, value]) => [key, encode(value)]);
}

async function call(at, op) {
	// Neither the program nor its facts are in a body: to wait for a body gives the turn up, and the Go program has a
	// short one at once.
	const response = await reach(at, op).fetch("http://object/", { cf: { scope: at.scope, object: op.object, do: op.do } });
	return { facts: JSON.parse(decodeURIComponent(response.headers.get("facts"))) };
}

function reach(at, op) {
	const namespace = namespaceOf(at, op);
	const name = nameOf(at, op);
	switch (op.by) {
		case "id":
			return namespace.get(namespace.idFromString(namespace.idFromName(name).toString()));
		case "unique":
			return namespace.get(namespace.newUniqueId());
		case "foreign":
			return namespace.get(at.env.MUTE.idFromName(name));
		case "hint":
			return namespace.getByName(name, { locationHint: "weur" });
		case "unknown hint":
			return namespace.getByName(name, { locationHint: "nowhere" });
		case "jurisdiction":
			return namespace.jurisdiction("eu").getByName(name);
	}
	return namespace.getByName(name);
}

function namespaceOf(at, op) {
	return { Mute: at.env.MUTE, Plain: at.env.PLAIN }[op.class] ?? at.env.PROBE;
}

function nameOf(at, op) {
	return op.object ? `${at.scope}/${op.object}` : at.scope;
}

// recordOf returns the module's state of the object that op names, or of the current object.
function recordOf(at, op) {
	return record(at.obj ? at.obj.state.id.toString() : namespaceOf(at, op).idFromName(nameOf(at, op)).toString());
}

const noted = (at, word) => record(at.scope).trace.includes(word);

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function until(condition) {
	for (let i = 0; i < 10_000; i++) {
		if (condition()) return "ok";
		await sleep(2);
	}
	return "in vain";
}

// storage returns the transaction that op.in names, or the storage itself.
const storage = (at, op) => (op.in && at.transactions?.[op.in]) || at.obj.state.storage;

// sql runs an operation with SQL. An error's text is a fact, because both runtimes have the same texts.
function sql(carryOut) {
	return (at, op) => {
		try {
			return carryOut(at, op);
		} catch (error) {
			if (error instanceof Thrown || error.durableObjectReset) throw error;
			return { error: "sql", message: error.message };
		}
	};
}

function exec(at, op) {
	return at.obj.state.storage.sql.exec(op.query ?? "", ...(op.args ?? []).map(decode));
}

function cursorOf(at, op) {
	const cursor = at.cursors?.[op.key];
	if (!cursor) throw new Thrown(`no cursor ${op.key}`);
	return cursor;
}

const operations = {
	call,
	async sleep(at, op) {
		await sleep(op.ms ?? 0);
		return "ok";
	},
	note(at, op) {
		record(at.scope).trace.push(op.text);
		return "ok";
	},
	// With a text, it has only the words with that text, or with by only the others.
	trace(at, op) {
		return record(at.scope).trace.filter((word) => word.includes(op.text ?? "") !== (op.by === "others"));
	},
	waitFor(at, op) {
		return until(() => noted(at, op.text));
	},
	async parallel(at, op) {
		const facts = await Promise.all(
			(op.do ?? []).map(async (one) => {
				if (one.after) await until(() => noted(at, one.after));
				if (one.later) await sleep(one.later);
				return (await run(at, [one]))[0];
			}),
		);
		return { facts };
	},

	// Runs its program without adding anything: it makes one of several operations.
	async group(at, op) {
		return { facts: await run(at, op.do ?? []) };
	},
	// Adds the fact of its operation to the trace, for a client that hangs up.
	async witness(at, op) {
		const [fact] = await run(at, op.do);
		record(at.scope).trace.push(JSON.stringify(fact));
		return fact;
	},

	// Runs its call, and notes whether it has failed.
	async outcome(at, op) {
		const [fact] = await run(at, op.do ?? []);
		if (fact === undefined) return { facts: [] }; // the call was left out
		record(at.scope).trace.push(`${op.text} ${fact.error ? "has failed" : "has its answer"}`);
		return { facts: [fact] };
	},

	async alarms(at, op) {
		const r = recordOf(at, op);
		const waited = await until(() => r.alarms.filter((entry) => entry.ended).length >= (op.count ?? 0));
		if (waited !== "ok") return waited;
		return r.alarms.map(({ ended, ...entry }) => entry);
	},
	constructions(at, op) {
		return recordOf(at, op).constructions;
	},
	onAlarm(at, op) {
		Object.assign(recordOf(at, op), { scope: at.scope, runs: op.runs });
		return "ok";
	},
	onConstruct(at, op) {
		Object.assign(recordOf(at, op), { scope: at.scope, construct: op.do ?? [] });
		return "ok";
	},
	idFromName(at, op) {
		return namespaceOf(at, op).idFromName(op.text ?? "").toString();
	},
	idFromString(at, op) {
		return namespaceOf(at, op).idFromString(op.text ?? "").toString();
	},
	equal(at, op) {
		const namespace = namespaceOf(at, op);
		const id = namespace.idFromName(op.text);
		return id.equals(namespace.idFromString(id.toString())) && !id.equals(namespace.idFromName(`${op.text}x`));
	},

	async get(at, op) {
		const value = await storage(at, op).get(op.key ?? "");
		return value === undefined ? "none" : { value: encode(value) };
	},
	async getMany(at, op) {
		return entries(await storage(at, op).get(op.keys ?? []));
	},
	async put(at, op) {
		await storage(at, op).put(op.key ?? "", decode(op.value ?? null));
		return "ok";
	},
	async putMany(at, op) {
		await storage(at, op).put(decode(op.entries ?? {}));
		return "ok";
	},
	delete(at, op) {
		return storage(at, op).delete(op.key ?? "");
	},
	deleteMany(at, op) {
		return storage(at, op).delete(op.keys ?? []);
	},
	async list(at, op) {
		return entries(await storage(at, op).list(op.list));
	},
	async deleteAll(at) {
		await at.obj.state.storage.deleteAll();
		return "ok";
	},
	async sync(at) {
		await at.obj.state.storage.sync();
		return "ok";
	},
	async alias(at, op) {
		const value = ["stored"];
		await storage(at, op).put(op.key, value);
		value[0] = "changed after put";
		(await storage(at, op).get(op.key))[0] = "changed after get";
		return storage(at, op).get(op.key);
	},
	async setAlarm(at, op) {
		const ms = op.ms ?? 0;
		await storage(at, op).setAlarm(op.by === "epoch" ? ms : Date.now() + ms);
		return "ok";
	},
	async getAlarm(at, op) {
		const time = await storage(at, op).getAlarm();
		// The sum makes 0 of -0.
		return time === null ? "none" : { in: Math.round((time - Date.now()) / 100_000) * 100 + 0 };
	},
	async deleteAlarm(at, op) {
		await storage(at, op).deleteAlarm();
		return "ok";
	},
	throw(at, op) {
		throw new Thrown(op.text);
	},
	abort(at, op) {
		at.obj.endAlarm?.();
		at.obj.state.abort(op.text, { retryAlarm: op.by !== "drop" });
	},
	async block(at, op) {
		return { facts: await at.obj.state.blockConcurrencyWhile(() => run(at, op.do ?? [])) };
	},
	waitUntil(at, op) {
		at.obj.state.waitUntil(run(at, op.do ?? []));
		return "ok";
	},
	count(at) {
		return ++at.obj.count;
	},
	id(at) {
		return at.obj.state.id.toString();
	},
	name(at) {
		return at.obj.state.id.name ?? "none";
	},

	sql: sql((at, op) => {
		const cursor = exec(at, op);
		const rows = [...cursor.raw()].map(encode);
		return cursor.columnNames.length === 0 ? "ok" : rows;
	}),
	sqlOpen: sql((at, op) => {
		at.cursors ??= {};
		at.cursors[op.key] = exec(at, op);
		return at.cursors[op.key].columnNames;
	}),
	sqlNext: sql((at, op) => {
		const next = cursorOf(at, op).raw().next();
		return next.done ? "end" : encode(next.value);
	}),
	sqlRest: sql((at, op) => [...cursorOf(at, op).raw()].map(encode)),
	sqlOne: sql((at, op) => {
		const cursor = cursorOf(at, op);
		const row = cursor.one();
		return cursor.columnNames.map((name) => encode(row[name]));
	}),
	sqlCounts: sql((at, op) => {
		const cursor = cursorOf(at, op);
		return { read: cursor.rowsRead, written: cursor.rowsWritten };
	}),
	sqlSize: sql((at) => at.obj.state.storage.sql.databaseSize),
	async transaction(at, op) {
		const facts = [];
		try {
			await at.obj.state.storage.transaction(async (txn) => {
				at.transactions ??= {};
				at.transactions[op.key] = txn;
				try {
					await run(at, op.do ?? [], (fact) => facts.push(fact));
				} catch (error) {
					if (!(error instanceof RolledBack)) throw error;
					txn.rollback();
				}
			});
		} catch (error) {
			if (!(error instanceof Thrown)) throw error;
			return { facts, threw: error.message };
		}
		return { facts };
	},
	// Undoes the transaction that it is in, and ends its program.
	rollback() {
		throw new RolledBack();
	},
};
