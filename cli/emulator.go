package cli

import (
	"cmp"
	"net/url"
	"strings"

	"devtool.internal/emulator/control/client"
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
		return found.Client(), err
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
	asked := &client.Client{URL: full, Token: token}
	if parsed.Scheme == secureHTTP {
		asked.Certificate = trustedCertificate()
	}
	return asked, nil
}

func (q *question) printer(s Streams) printer {
	return printer{out: s.Out, json: q.json}
}
