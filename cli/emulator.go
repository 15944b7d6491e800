package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"devtool.internal/emulator/control/client"
	"devtool.internal/internal/printable"
)

// question holds the options of a command that asks the running emulator.
type question struct {
	url  string
	json bool
}

func (q *question) flags() []flag {
	return []flag{
		{name: "json", usage: "print JSON", target: &q.json},
		{name: "url", value: "URL", target: &q.url,
			usage: "ask the emulator there, instead of this project's (also: DEVTOOL_URL, DEVTOOL_TOKEN)"},
	}
}

// client returns a client of the emulator that --url or DEVTOOL_URL names, or else of the one that
// serves the project.
func (q *question) client(s Streams) (*client.Client, error) {
	given := cmp.Or(q.url, s.Env("DEVTOOL_URL"))
	if given == "" {
		found, err := client.Find(s.Dir)
		c := found.Client()
		c.OnSilence = q.onSilence(s, silentText(ofProcess(found)))
		return c, err
	}
	full := given
	if !strings.Contains(given, "://") {
		full = "http://" + given
	}
	parsed, err := url.Parse(full)
	if err != nil || parsed.Host == "" || (parsed.Scheme != "http" && parsed.Scheme != "https") {
		return nil, misuse("write it like http://localhost:8787", "%q is not the URL of an emulator", given)
	}
	token, err := client.TokenFor(full, s.Env)
	if err != nil {
		return nil, failure(client.TokenFileAdvice, "%s", err)
	}
	asked := &client.Client{URL: full, Token: token, OnSilence: q.onSilence(s, silentText("the emulator at "+full))}
	if parsed.Scheme == secureHTTP {
		asked.Certificate = trustedCertificate()
	}
	return asked, nil
}

// silentText is for people who wait for an emulator that does not answer.
func silentText(emulator string) string {
	return emulator + " does not answer: was it stopped with Ctrl-Z, or is it still building? Waiting; " +
		"Ctrl-C ends this command"
}

func ofProcess(a client.Announcement) string { return fmt.Sprintf("devtool dev (process %d)", a.PID) }

// onSilence returns a function that prints text on standard error, once.
func (q *question) onSilence(s Streams, text string) func() {
	return sync.OnceFunc(func() {
		switch {
		case q.json: // for readers that expect JSON in each line
			json.NewEncoder(s.Err).Encode(map[string]string{"notice": text}) //nolint:errcheck // nobody reads it
			return
		case s.IsTerminal(s.Err):
			fmt.Fprint(raw(s.Err), "\r\x1b[K") // the progress of an advance may stand there
		}
		fmt.Fprintln(s.Err, printable.Line(text))
	})
}

func (q *question) printer(s Streams) printer {
	return printer{out: s.Out, json: q.json}
}
