package config

import (
	"fmt"
	goparser "go/parser"
	gotoken "go/token"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/tailscale/hujson"
	"pgregory.net/rapid"
)

// These tests are inside the package, because they check the tree and its positions, which are
// private.

// addSeeds adds the given file, the files of these formats that conformance compares with wrangler,
// and more texts to a fuzz test.
func addSeeds(f *testing.F, file string, extensions []string, more ...string) {
	files := []string{file}
	for _, extension := range extensions {
		found, err := filepath.Glob("../testdata/config/wrangler/*" + extension)
		if err != nil || found == nil {
			f.Fatalf("found no seeds with the extension %s: %v", extension, err)
		}
		files = append(files, found...)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	for _, s := range more {
		f.Add(s)
	}
}

func FuzzJSONC(f *testing.F) {
	addSeeds(f, "../templates/batcher/wrangler.jsonc", []string{".json", ".jsonc"}, "", "[", `{"a":1,"a":[{}],}//`,
		"{\"a\" 1 \"b\": '\u2028', /* */}", `{"a":"\u12","b":"\`,
		"{// \u2029\n}", "{\"a\\\x01\"", `{"env":{"x":{"vars":{"a":[null,-0.5e+9]}}},"name":3}`, "\xef\xbb\xbf{}",
		"\xff\xfe", "{\"\x80",
		`{"exports":{"A":{"type":"durable-object","state":"renamed","renamed_to":"B"},"B":{"type":"worker"}},`+
			`"durable_objects":{"bindings":[{"name":"A","class_name":"A"}]}}`,
		`{"migrations":[{"tag":"v2"},{"tag":"v1"}],"compatibility_flags":["delete_all_delete_alarm"],`+
			`"queues":{"producers":[{"binding":"A"}]},"ai":{"binding":"A"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		checkLaws(t, text, formatJSONC)

		// The checker must accept exactly what hujson accepts, up to its maximal depth.
		if !utf8.ValidString(text) || strings.TrimSpace(text) == "" ||
			strings.Count(text, "{")+strings.Count(text, "[") > maxDepth {
			return
		}
		_, err := hujson.Parse([]byte(text + "\n"))
		if got, want := checkJSONC(&report{src: newSource("f", text, formatJSONC)}), err == nil; got != want {
			t.Fatalf("valid is %v, and hujson says %v", got, err)
		}
	})
}

func FuzzTOML(f *testing.F) {
	addSeeds(f, "../testdata/config/batcher/wrangler.toml", []string{".toml"}, "", "a", "a = [1,#\n[2], {b.c = 'x'}]",
		"[[a.b]]\n[a.b.c]\nd = 2026-10-01T00:00:00Z\n[a]\n",
		"a = 1\na.b = 2", "\"é", "[a]\n[a]", "[\"\\n\"]\n[\"\\n\"]", "a = [{}]\n[[a]]\nb = inf",
		"[a.b]\n[a]\nb = 0x1_0", "a = \"\"\"\n\\\n\"\"\"", "\"\" = {\"\" = ''}",
		"name = 1\r\nenv.x.vars = {a = 1e400}", "vars = {a = {b = 1}, a.c = 2}",
		"exports.A = {type = \"durable-object\", state = 1}\n[[send_email]]\ndestination_address = 1\n"+
			"allowed_destination_addresses = []\n[text_blobs]\nA = ''")
	f.Fuzz(func(t *testing.T, text string) {
		checkLaws(t, text, formatTOML)
	})
}

// checkLaws reads text as Load does and checks that every reported position is in the text.
func checkLaws(t *testing.T, text string, f format) {
	r, root := parse("f", []byte(text), f)
	if !r.failed() {
		checkSpans(t, r.src, root, span{0, len(r.src.text)}, f)
		c := decode(r, root, "x", "folder")
		if c.Name == "" && !r.failed() {
			t.Error("a worker without a name")
		}
		c.Classes()
		r.list = append(r.list, c.MissingMain())
	}
	lines := strings.Split(r.src.text, "\n")
	for _, d := range r.sorted() {
		if d.Position.Line < 1 || d.Position.Line > len(lines) {
			t.Fatalf("%v is on none of the %d lines", d.Position, len(lines))
		}
		if want := strings.TrimSuffix(lines[d.Position.Line-1], "\r"); d.Source != want {
			t.Fatalf("line %d is %q, and the source shown %q", d.Position.Line, want, d.Source)
		}
		width := utf8.RuneCountInString(d.Source)
		if d.Position.Column < 1 || d.Position.Column > width+1 || d.Length < 1 ||
			d.Position.Column+d.Length > width+2 {
			t.Fatalf("%v, %d long, is outside of its line of %d", d.Position, d.Length, width)
		}
		if d.ID == "" || d.Message == "" || strings.ContainsFunc(d.Message, unicode.IsControl) {
			t.Fatalf("ID %q, message %q", d.ID, d.Message)
		}
	}
	Render(discard{}, r.list, true)
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// checkSpans checks that the spans of n and its descendants lie in the text and, where the format
// nests, in their parent's.
func checkSpans(t *testing.T, s *source, n *node, within span, f format) {
	if n.span.start < within.start || n.span.end > within.end || n.span.start > n.span.end {
		t.Fatalf("the span %v is not within %v", n.span, within)
	}
	inner := n.span
	if f == formatTOML { // a table's span is its header, and its members may be anywhere
		inner = within
	}
	for _, e := range n.elems {
		checkSpans(t, s, e, inner, f)
	}
	for _, m := range n.members {
		if m.keySpan.start < inner.start || m.keySpan.end > inner.end {
			t.Fatalf("the key %q at %v is not within %v", m.key, m.keySpan, inner)
		}
		if raw := s.text[m.keySpan.start:m.keySpan.end]; !strings.ContainsAny(raw, `\`) &&
			!strings.Contains(raw, m.key) {
			t.Fatalf("the key %q is written as %q", m.key, raw)
		}
		checkSpans(t, s, m.value, inner, f)
	}
}

func TestSpansCoverExactlyWhatIsWritten(t *testing.T) {
	tests := []struct {
		format format
		text   string
		path   []string
		want   string
	}{
		{formatJSONC, `{ "a": [ 1, { "b": "x" } ] /* c */ }`, []string{"a"}, `[ 1, { "b": "x" } ]`},
		{formatTOML, "a = [ 1, # ]\n { b = \"x\" }, ] # end", []string{"a"}, "[ 1, # ]\n { b = \"x\" }, ]"},
		{formatTOML, "a = { b = [[],[ ]] , c = '''\n''' }", []string{"a"}, "{ b = [[],[ ]] , c = '''\n''' }"},
		{formatTOML, "a = { b = [[],[ ]] , c = '''\n''' }", []string{"a", "b"}, "[[],[ ]]"},
		{formatTOML, "[ x . 'y' ]\nz = 1", []string{"x", "y"}, "x . 'y'"},
		{formatTOML, "[x.y]\n[ 'x' ]", []string{"x"}, "'x'"},
		{formatTOML, "x.y . z = 0x1F", []string{"x", "y"}, "y"},
		{formatTOML, "x.y . z = 0x1F", []string{"x", "y", "z"}, "0x1F"},
	}
	for _, tt := range tests {
		r, n := parse("f", []byte(tt.text), tt.format)
		if r.failed() {
			t.Fatalf("%q: %v", tt.text, r.err())
		}
		for _, key := range tt.path {
			n = n.get(key)
		}
		if got := tt.text[n.span.start:n.span.end]; got != tt.want {
			t.Errorf("%v of %q: span of %q, want %q", tt.path, tt.text, got, tt.want)
		}
	}
}

// Walking a text character by character gives the same positions as looking up offsets.
func TestPositionCountsLinesAndCharacters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.RuneFrom([]rune("a\té日😀\n"))).Draw(t, "text")
		s := newSource("f", text, formatTOML)
		want := Position{File: "f", Line: 1, Column: 1}
		for offset, r := range text {
			if got := s.position(offset); got != want {
				t.Fatalf("offset %d of %q is at %v, want %v", offset, text, got, want)
			}
			want.Column++
			if r == '\n' {
				want.Line, want.Column = want.Line+1, 1
			}
		}
		if got := s.position(len(text)); got != want {
			t.Fatalf("the end of %q is at %v, want %v", text, got, want)
		}
	})
}

func TestNearestFindsTyposAndNothingElse(t *testing.T) {
	tests := []struct{ name, want string }{
		{"mian", "main"},
		{"nmae", "name"},
		{"Main", "main"},
		{"compatability_date", "compatibility_date"},
		{"compatibilityFlags", "compatibility_flags"},
		{"durable-objects", "durable_objects"},
		{"migration", "migrations"},
		{"kv_namespace", "kv_namespaces"},
		{"x", ""},
		{"", ""},
		{"logging", ""},
		{"日本語", ""},
		{strings.Repeat("m", 1000), ""},
	}
	for _, tt := range tests {
		if got := nearest(tt.name, keyNames()); got != tt.want {
			t.Errorf("nearest(%q) = %q, want %q", shorten(tt.name), got, tt.want)
		}
	}
}

func TestEditDistanceIsADistance(t *testing.T) {
	word := rapid.StringOfN(rapid.RuneFrom([]rune("abc")), 0, 8, -1)
	rapid.Check(t, func(t *rapid.T) {
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		d := editDistance(a, b, 100)
		if d != editDistance(b, a, 100) || (d == 0) != (a == b) || d > max(len(a), len(b)) {
			t.Fatalf("editDistance(%q, %q) = %d", a, b, d)
		}
		if most := rapid.IntRange(0, 8).Draw(t, "most"); (editDistance(a, b, most) <= most) != (d <= most) {
			t.Fatalf("editDistance(%q, %q, %d) disagrees with %d", a, b, most, d)
		}
		if len(a) > 0 && editDistance(a, a[1:], 100) != 1 {
			t.Fatalf("%q without its first character is not at distance 1", a)
		}
	})
}

func TestKeysAreListedOnceAndCompletely(t *testing.T) {
	seen := make(map[string]bool)
	for _, k := range keys {
		if seen[k.name] {
			t.Errorf("%s is listed twice", k.name)
		}
		seen[k.name] = true
		if k.shape == nil || k.shape.noun == "" || k.shape.kinds == 0 {
			t.Errorf("%s has no shape", k.name)
		}
	}
}

// The libraries stay replaceable, and the two formats equal, as long as only one file knows each.
func TestOneFileKnowsEachLibrary(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := goparser.ParseFile(gotoken.NewFileSet(), name, nil, goparser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range file.Imports {
			switch path, _ := strconv.Unquote(i.Path.Value); {
			case strings.HasPrefix(path, "devtool.internal/"): // layering_test.go says which
			case strings.Contains(path, "."):
				got[path] += name
			}
		}
	}
	want := map[string]string{
		"github.com/tailscale/hujson":              "jsonc.go",
		"github.com/pelletier/go-toml/v2":          "toml.go",
		"github.com/pelletier/go-toml/v2/unstable": "toml.go",
	}
	if !maps.Equal(got, want) {
		t.Errorf("imports %v, want %v", got, want)
	}
}

// bigConfig returns a file of about 200 KB with thousands of keys.
func bigConfig(f format) []byte {
	var b strings.Builder
	if f == formatTOML {
		b.WriteString("name = \"big\"\ncompatibility_date = \"2026-10-01\"\n[vars]\n")
		for i := range 2000 {
			fmt.Fprintf(&b, "VAR_%d = { text = \"value %d\", list = [1, 2, %d] }\n", i, i, i)
		}
		for i := range 500 {
			fmt.Fprintf(&b, "[[durable_objects.bindings]]\nname = \"B%d\"\nclass_name = \"C%d\"\n", i, i)
			fmt.Fprintf(&b, "[[migrations]]\ntag = \"v%d\"\nnew_sqlite_classes = [\"C%d\"]\n", i, i)
		}
		return []byte(b.String())
	}
	b.WriteString("{ \"name\": \"big\", \"compatibility_date\": \"2026-10-01\",\n\"vars\": {\n")
	for i := range 2000 {
		fmt.Fprintf(&b, "  \"VAR_%d\": { \"text\": \"value %d\", \"list\": [1, 2, %d] },\n", i, i, i)
	}
	b.WriteString("},\n\"durable_objects\": { \"bindings\": [\n")
	for i := range 500 {
		fmt.Fprintf(&b, "  { \"name\": \"B%d\", \"class_name\": \"C%d\" },\n", i, i)
	}
	b.WriteString("] },\n\"migrations\": [\n")
	for i := range 500 {
		fmt.Fprintf(&b, "  { \"tag\": \"v%d\", \"new_sqlite_classes\": [\"C%d\"] },\n", i, i)
	}
	b.WriteString("] }\n")
	return []byte(b.String())
}

func BenchmarkBigConfig(b *testing.B) { benchmarkDecode(b, bigConfig, "") }

// benchmarkDecode reads a valid file for an environment, or for the top level.
func benchmarkDecode(b *testing.B, write func(format) []byte, env string) {
	for name, f := range map[string]format{"jsonc": formatJSONC, "toml": formatTOML} {
		data := write(f)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				r, root := parse("wrangler", data, f)
				if r.failed() {
					b.Fatal(r.err())
				}
				decode(r, root, env, "folder")
				if list := r.sorted(); len(list) > 0 {
					b.Fatal(list[0])
				}
			}
		})
	}
}

// manyEnvironments returns a file of 50 environments that have 200 bindings of several kinds
// together.
func manyEnvironments(f format) []byte {
	const environments = 50
	var b strings.Builder
	if f == formatTOML {
		b.WriteString("name = \"big\"\ncompatibility_date = \"2026-10-01\"\n" +
			"[[migrations]]\ntag = \"v1\"\nnew_sqlite_classes = [\"A\", \"B\"]\n")
		for i := range environments {
			fmt.Fprintf(&b, "[[env.env%d.durable_objects.bindings]]\nname = \"A\"\nclass_name = \"A\"\n", i)
			fmt.Fprintf(&b, "[[env.env%d.durable_objects.bindings]]\nname = \"B\"\nclass_name = \"B\"\n", i)
			fmt.Fprintf(&b, "[[env.env%d.kv_namespaces]]\nbinding = \"KV\"\nid = \"1\"\n", i)
			fmt.Fprintf(&b, "[[env.env%d.queues.producers]]\nbinding = \"Q\"\nqueue = \"q\"\n", i)
		}
		return []byte(b.String())
	}
	b.WriteString("{ \"name\": \"big\", \"compatibility_date\": \"2026-10-01\",\n" +
		"\"migrations\": [{ \"tag\": \"v1\", \"new_sqlite_classes\": [\"A\", \"B\"] }],\n\"env\": {\n")
	for i := range environments {
		fmt.Fprintf(&b, "  \"env%d\": {\n", i)
		b.WriteString(`    "durable_objects": { "bindings": [{ "name": "A", "class_name": "A" }, ` +
			`{ "name": "B", "class_name": "B" }] },` + "\n" +
			`    "kv_namespaces": [{ "binding": "KV", "id": "1" }],` + "\n" +
			`    "queues": { "producers": [{ "binding": "Q", "queue": "q" }] },` + "\n  },\n")
	}
	b.WriteString("} }\n")
	return []byte(b.String())
}

// BenchmarkManyEnvironments should take less than 10 ms for each file, because dev reads it on each
// save.
func BenchmarkManyEnvironments(b *testing.B) { benchmarkDecode(b, manyEnvironments, "env49") }
