package cli

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// Version is the version of the next release.
const Version = "0.1.0-dev"

func versionCommand() *command {
	var asJSON bool
	return &command{
		name:    "version",
		summary: "Show the version of devtool, and what it was built with",
		flags:   []flag{{name: "json", usage: "print JSON", target: &asJSON}},
		run: func(_ context.Context, s Streams, _ []string) error {
			return version(s, asJSON)
		},
	}
}

func version(s Streams, asJSON bool) error {
	built := struct {
		Version  string `json:"version"`
		Revision string `json:"revision,omitempty"`
		Modified bool   `json:"modified,omitempty"`
		Go       string `json:"go"`
		OS       string `json:"os"`
		Arch     string `json:"arch"`
	}{Version: Version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			switch setting.Key {
			case "vcs.revision":
				built.Revision = setting.Value
			case "vcs.modified":
				built.Modified = setting.Value == "true"
			}
		}
	}
	return printer{out: s.Out, json: asJSON}.print(built, func(w io.Writer) {
		revision := ""
		if built.Revision != "" {
			revision = " (" + built.Revision[:min(12, len(built.Revision))]
			if built.Modified {
				revision += ", modified"
			}
			revision += ")"
		}
		fmt.Fprintf(w, "devtool %s%s %s %s/%s\n", built.Version, revision, built.Go, built.OS, built.Arch)
	})
}
