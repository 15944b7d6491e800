package conformance

// An Op is one operation of a program. Name says which; the other fields are its arguments for the
// handler programs.
type Op struct {
	Name    string         `json:"op"`
	Class   string         `json:"class,omitempty"`
	Object  string         `json:"object,omitempty"` // within the case; empty for its main object
	By      string         `json:"by,omitempty"`
	Key     string         `json:"key,omitempty"`
	Keys    []string       `json:"keys,omitempty"`
	Value   any            `json:"value,omitempty"`
	Entries map[string]any `json:"entries,omitempty"`
	List    map[string]any `json:"list,omitempty"`
	MS      int64          `json:"ms,omitempty"`
	Text    string         `json:"text,omitempty"`
	Count   int            `json:"count,omitempty"`
	After   string         `json:"after,omitempty"`
	Later   int64          `json:"later,omitempty"` // milliseconds
	Query   string         `json:"query,omitempty"`
	Args    []any          `json:"args,omitempty"`
	In      string         `json:"in,omitempty"` // the transaction that it uses; empty for the storage itself
	Do      []Op           `json:"do,omitempty"`
	Runs    [][]Op         `json:"runs,omitempty"`

	// want is what each side must state, or nil if they only have to agree.
	want *expectation
	// racy is set if the two sides may state different facts, because the fact depends on who comes
	// first.
	racy bool
	// whole is set if shrinking may leave the operation out, but nothing inside it.
	whole bool
}

// An expectation is the fact that each side must state. The two facts differ only where the
// difference was chosen.
type expectation struct {
	platform, ours any
	chosen         bool
}

// is returns o with the fact that both sides must state.
func (o Op) is(fact any) Op {
	o.want = &expectation{platform: fact, ours: fact}
	return o
}

// differs returns o with the facts that the platform's runtime and devtool must state.
func (o Op) differs(platform, ours any) Op {
	o.want = &expectation{platform: platform, ours: ours, chosen: true}
	return o
}

// anyOrder returns o as an operation whose fact depends on who comes first.
func (o Op) anyOrder() Op {
	o.racy = true
	return o
}

// after returns o, an operation of parallel, so that it waits for a word in the trace.
func (o Op) after(word string) Op {
	o.After = word
	return o
}

// later returns o, an operation of parallel, so that it begins some milliseconds later, after the
// wait for a word.
func (o Op) later(ms int64) Op {
	o.Later = ms
	return o
}

// entirely returns o so that shrinking leaves out all of it or nothing.
func (o Op) entirely() Op {
	o.whole = true
	return o
}

// to returns o, a call, directed to another object of the case.
func (o Op) to(object string) Op {
	o.Object = object
	return o
}

// of returns o, directed to another class.
func (o Op) of(class string) Op {
	o.Class = class
	return o
}

// by returns o in a variant: "id", "unique", "foreign", "hint", "unknown hint" and "jurisdiction"
// for calls, "epoch" for setAlarm, "drop" for abort.
func (o Op) by(way string) Op {
	o.By = way
	return o
}

// in returns o so that it uses the transaction called name, not the storage.
func (o Op) in(name string) Op {
	o.In = name
	return o
}

// The facts that many operations state.
var (
	done    any = "ok"
	none    any = "none"
	refused any = object{"error": "refused"}
)

// reset is the kind of error that callers of a reset object get: all its flags.
const reset = "remote reset"

type object = map[string]any

// value returns the fact of a key with the value v.
func value(v any) any { return object{"value": v} }

// failed returns the fact of a failed call.
func failed(kind, why string) any { return object{"error": kind, "why": why} }

// pairs returns the fact of a list, from alternating keys and values.
func pairs(keysAndValues ...any) any {
	list := [][2]any{}
	for i := 0; i+1 < len(keysAndValues); i += 2 {
		list = append(list, [2]any{keysAndValues[i], keysAndValues[i+1]})
	}
	return list
}

// Values that JSON lacks, in the notation of both programs.
func binary(base64 string) any { return object{"$bytes": base64} }
func date(ms int64) any        { return object{"$date": ms} }
func long(n int) any           { return object{"$long": n} } // n times x

// call returns an operation that runs a program in an object.
func call(program ...Op) Op { return Op{Name: "call", Do: program} }

// fails returns the call o with the error that the object must fail with.
func (o Op) fails(kind, why string) Op { return o.is(failed(kind, why)) }

func get(key string) Op             { return Op{Name: "get", Key: key} }
func getMany(keys ...string) Op     { return Op{Name: "getMany", Keys: keys} }
func put(key string, v any) Op      { return Op{Name: "put", Key: key, Value: v} }
func putMany(entries object) Op     { return Op{Name: "putMany", Entries: entries} }
func remove(key string) Op          { return Op{Name: "delete", Key: key} }
func deleteMany(keys ...string) Op  { return Op{Name: "deleteMany", Keys: keys} }
func list(options object) Op        { return Op{Name: "list", List: options} }
func deleteAll() Op                 { return Op{Name: "deleteAll"} }
func commit() Op                    { return Op{Name: "sync"} }
func alias(key string) Op           { return Op{Name: "alias", Key: key} }
func setAlarm(ms int64) Op          { return Op{Name: "setAlarm", MS: ms} }
func getAlarm() Op                  { return Op{Name: "getAlarm"} }
func deleteAlarm() Op               { return Op{Name: "deleteAlarm"} }
func throw(text string) Op          { return Op{Name: "throw", Text: text} }
func abort(text string) Op          { return Op{Name: "abort", Text: text} }
func block(program ...Op) Op        { return Op{Name: "block", Do: program} }
func waitUntil(program ...Op) Op    { return Op{Name: "waitUntil", Do: program} }
func count() Op                     { return Op{Name: "count"} }
func identity() Op                  { return Op{Name: "id"} }
func nameOfObject() Op              { return Op{Name: "name"} }
func sleep(ms int64) Op             { return Op{Name: "sleep", MS: ms} }
func note(word string) Op           { return Op{Name: "note", Text: word} }
func trace(words ...string) Op      { return Op{Name: "trace"}.is(append([]string{}, words...)) }
func waitFor(word string) Op        { return Op{Name: "waitFor", Text: word} }
func parallel(calls ...Op) Op       { return Op{Name: "parallel", Do: calls} }
func group(program ...Op) Op        { return Op{Name: "group", Do: program} }
func witness(o Op) Op               { return Op{Name: "witness", Do: []Op{o}} }
func outcomeOf(who string, o Op) Op { return Op{Name: "outcome", Text: who, Do: []Op{o}} }
func alarms(runs ...any) Op         { return Op{Name: "alarms", Count: len(runs)}.is(append([]any{}, runs...)) }
func constructions() Op             { return Op{Name: "constructions"} }
func onAlarm(runs ...[]Op) Op       { return Op{Name: "onAlarm", Runs: runs} }
func onConstruct(program ...Op) Op  { return Op{Name: "onConstruct", Do: program} }
func idFromName(name string) Op     { return Op{Name: "idFromName", Text: name} }
func idFromString(digits string) Op { return Op{Name: "idFromString", Text: digits} }
func equalIDs(name string) Op       { return Op{Name: "equal", Text: name} }
func program(operations ...Op) []Op { return operations }
func alarmIn(seconds int) any       { return object{"in": seconds} }

// run returns the fact of one run of an alarm: which retry it is, how long it came after the
// previous one (in seconds, cut to a power of two), and the facts of its program.
func run(retry, wait int, facts ...any) any {
	return object{"retry": retry, "isRetry": retry > 0, "early": false, "wait": wait,
		"facts": append([]any{}, facts...)}
}
