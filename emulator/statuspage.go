package emulator

import (
	"html/template"
	"net/http"
	"time"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/door"
	"devtool.internal/internal/printable"
)

// statusPage shows a control.Report in a browser. It loads nothing else.
var statusPage = template.Must(template.New("status").Funcs(template.FuncMap{
	"time":  func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
	"since": func(t time.Time) string { return control.Since(t, time.Now()) },
}).Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="2">
<title>{{.Worker}}: {{if .Program.Unserved}}nothing is served{{else if .Program.Failure
}}the last change is not served{{else}}{{.Program.State}}{{end}}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 3rem auto; padding: 0 1rem }
body { color: #222; background: #fff }
h1 { font-size: 1.3rem; border-left: .4rem solid #080; padding-left: .8rem }
h1.bad { border-color: #c00 }
pre { background: #f4f4f4; padding: 1rem; overflow-x: auto; font-size: 13px }
th { text-align: left; padding-right: 2rem; font-weight: normal; opacity: .7; vertical-align: top }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #1b1b1b } pre { background: #2a2a2a } }
</style>
{{with .Program.Failure}}<h1 class="bad">{{if $.Program.Unserved}}Nothing is served{{else
}}The last change is not served{{end}}</h1>
<p>{{.Message}}</p>
{{with .Text}}<pre>{{.}}</pre>{{end}}
<p>Since {{since .At}}; {{if $.Program.Unserved}}it is built again when a file is saved{{else
}}the version before goes on serving{{end}}.</p>{{else
}}<h1{{if .Program.Crashes}} class="bad"{{end}}>{{.Worker}} is {{.Program.State}}</h1>{{end}}
{{with .Program.Crashes}}<pre>{{.}}</pre>{{end}}
<table>
<tr><th>program<td>version {{.Program.Version}}{{if .Program.Version}}, since {{since .Program.Since}}{{end}}{{with
.Program.Build}}, built in {{.DurationMS}} ms{{end}}
<tr><th>clock<td>{{.Clock.Mode}} at {{time .Clock.Now}}
<tr><th>objects<td>{{.Objects}}, {{.InMemory}} in memory
<tr><th>alarms<td>{{.Alarms}} pending
<tr><th>state<td>{{.State}}
<tr><th>devtool<td>{{.Version}}, process {{.PID}}, since {{since .Started}}
</table>
</html>
`))

// serveStatusPage answers a browser with a page of the emulator's status, other clients with the
// same in JSON.
func (e controlAPI) serveStatusPage(w http.ResponseWriter, r *http.Request) {
	report, err := e.Report()
	if err != nil || !door.WantsPage(r) {
		respond(w, report, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if f := report.Program.Failure; f != nil {
		shown := *f
		shown.Message, shown.Text = printable.Line(f.Message), printable.Text(f.Text)
		report.Program.Failure = &shown
	}
	report.Program.Crashes, report.State = printable.Text(report.Program.Crashes), printable.Line(report.State)
	statusPage.Execute(w, report) //nolint:errcheck // the browser has gone
}
