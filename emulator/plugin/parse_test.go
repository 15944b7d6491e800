package plugin_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/emulator/plugin"
)

func TestMessagesOfGoAreParsed(t *testing.T) {
	const refused = "example.com/x@v1.0.0: Get \"https://proxy.example/x\": " +
		"dial tcp 127.0.0.1:80: connection refused"
	for _, test := range []struct {
		name, output string
		pkg          string
		want         []plugin.Diagnostic
	}{
		{name: "nothing"},
		{
			name: "packages and positions",
			output: "# example.com/h/a\na/a.go:3:6: one\n" +
				"# example.com/h [example.com/h.test]\n./main.go:12:5: two: and: more\n",
			pkg: "example.com/h/a",
			want: []plugin.Diagnostic{
				{File: "a/a.go", Line: 3, Column: 6, Message: "one"},
				{File: "./main.go", Line: 12, Column: 5, Message: "two: and: more"},
			},
		},
		{
			name:   "lines end as on Windows",
			output: "# h\r\n.\\main.go:1:2: one\r\nC:\\a b\\x.go:3:4: two\r\n",
			pkg:    "h",
			want: []plugin.Diagnostic{
				{File: `.\main.go`, Line: 1, Column: 2, Message: "one"},
				{File: `C:\a b\x.go`, Line: 3, Column: 4, Message: "two"},
			},
		},
		{
			name:   "notes",
			output: "./a.go:1:1: wrong\n\thave (int)\n\twant ()\nnote: module requires Go 1.99\n",
			want: []plugin.Diagnostic{{
				File: "./a.go", Line: 1, Column: 1, Message: "wrong",
				Notes: []string{"have (int)", "want ()", "module requires Go 1.99"},
			}},
		},
		{
			name:   "a note without a message above",
			output: "\tgo get x\n",
			want:   []plugin.Diagnostic{{Message: "go get x"}},
		},
		{
			name:   "go.mod",
			output: "go: errors parsing go.mod:\ngo.mod:3: unknown directive: foo\ngo: ../go.work:7: bad\n",
			want: []plugin.Diagnostic{
				{File: "go.mod", Line: 3, Message: "unknown directive: foo"},
				{File: "../go.work", Line: 7, Message: "bad"},
			},
		},
		{
			name: "addresses are no positions",
			output: "go: " + refused + "\n" +
				"dial tcp 127.0.0.1:80: refused\nproxy.example.com:443: refused\n",
			want: []plugin.Diagnostic{
				{Message: refused},
				{Message: "dial tcp 127.0.0.1:80: refused"},
				{Message: "proxy.example.com:443: refused"},
			},
		},
		{
			name:   "positions that are out of range",
			output: "a.go:99999999999999999999:1: far\nb.go:0:1: before\nc.go:1:99999999999999999999: wide\n",
			want: []plugin.Diagnostic{
				{Message: "a.go:99999999999999999999:1: far"},
				{Message: "b.go:0:1: before"},
				{Message: "c.go:1:99999999999999999999: wide"},
			},
		},
		{
			name:   "the compiler gives up",
			output: "x.go:1:1: a\nx.go:2:1: too many errors\ntoo many errors\n",
			want:   []plugin.Diagnostic{{File: "x.go", Line: 1, Column: 1, Message: "a"}},
		},
		{
			name: "C",
			output: "# h\nmain.go:5:11: fatal error: absent.h: No such file or directory\n" +
				"    5 | // #include \"absent.h\"\n      |           ^~~\ncompilation terminated.\n",
			pkg: "h",
			want: []plugin.Diagnostic{
				{
					File: "main.go", Line: 5, Column: 11,
					Message: "fatal error: absent.h: No such file or directory",
					Notes:   []string{"5 | // #include \"absent.h\"", "|           ^~~"},
				},
				{Message: "compilation terminated."},
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			pkg, got := plugin.ParseOutput(test.output)
			if pkg != test.pkg {
				t.Errorf("package = %q, want %q", pkg, test.pkg)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("diagnostics differ (-want +got):\n%s", diff)
			}
		})
	}
}

// For any output, each diagnostic has a message, has a full position or none, and takes every word
// from the output.
func FuzzParseOutput(f *testing.F) {
	f.Add("# h\n./main.go:12:5: undefined: x\n\tnote\n")
	f.Add("go: errors parsing go.mod:\ngo.mod:3: unknown directive: foo\n")
	f.Add("package h\n\timports a: import cycle not allowed")
	f.Add("C:\\x.go:1:2: m\r\nnote: n\n: : :\n.go:1:1: m\n")
	f.Fuzz(func(t *testing.T, output string) {
		pkg, diagnostics := plugin.ParseOutput(output)
		if !strings.Contains(output, pkg) {
			t.Errorf("package %q is not in the output", pkg)
		}
		for _, d := range diagnostics {
			for _, text := range append([]string{d.File, d.Message}, d.Notes...) {
				if !strings.Contains(output, text) {
					t.Errorf("%q is not in the output", text)
				}
			}
			if strings.TrimSpace(d.Message) == "" {
				t.Errorf("%+v has no message", d)
			}
			if d.Line < 0 || d.Column < 0 || (d.File == "") != (d.Line == 0) {
				t.Errorf("%+v has half a position", d)
			}
			if strings.Contains(d.String(), "\n") {
				t.Errorf("%q is not one line", d.String())
			}
		}
	})
}
