package door

import (
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/program"
	"devtool.internal/emulator/world"
	"devtool.internal/internal/printable"
)

// errorPage is what a browser shows for a failed request. It loads nothing else.
var errorPage = template.Must(template.New("error").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>500: {{.Title}}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 3rem auto; padding: 0 1rem }
body { color: #222; background: #fff }
h1 { font-size: 1.3rem; border-left: .4rem solid #c00; padding-left: .8rem }
pre { background: #f4f4f4; padding: 1rem; overflow-x: auto; font-size: 13px }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #1b1b1b } pre { background: #2a2a2a } }
</style>
<h1>{{.Title}}</h1>
<p>Event: fetch, {{.Method}} {{.Path}}</p>
<pre>{{.Message}}</pre>
{{if .Stack}}<pre>{{.Stack}}</pre>{{end}}
<p>{{with .Hint}}{{.}} {{end}}The terminal of <code>devtool dev</code> has the log.</p>
</html>
`))

// fail answers a request that failed before its response had begun: a browser gets a page, other
// clients a few lines. Both have the stack, if there is one.
func (d *Door) fail(w http.ResponseWriter, r *http.Request, err error, by *world.Served) {
	what, why := d.explain(err, by)
	stack, hint := "", ""
	if f := (*wire.Error)(nil); errors.As(err, &f) {
		stack = strings.TrimRight(f.Detail, "\n")
	}
	if u := (*Unserved)(nil); errors.As(err, &u) {
		stack, hint = cmp.Or(strings.TrimRight(u.Failure.Text, "\n"), stack), UnservedHint
	}
	// A client may be curl in a terminal, and what it has sent comes back here.
	what, why, stack = printable.Line(what), printable.Text(why), printable.Text(stack)
	path := printable.Line(r.URL.Path)
	if !WantsPage(r) {
		text := fmt.Sprintf("%s: %s\nevent: fetch, %s %s", what, why, r.Method, path)
		if stack != "" {
			text += "\n\n" + program.FirstGoroutine(stack)
		}
		if hint != "" {
			text += "\n\n" + hint
		}
		http.Error(w, text, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusInternalServerError)
	errorPage.Execute(w, map[string]string{ //nolint:errcheck // the browser has gone
		"Title": what, "Message": why, "Stack": stack, "Hint": hint, "Method": r.Method, "Path": path,
	})
}

// WantsPage reports whether the client shows pages. curl accepts everything, but does not ask for
// text/html.
func WantsPage(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}
