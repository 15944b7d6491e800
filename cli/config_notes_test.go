package cli

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"devtool.internal/config"
)

// logged calls run with notes and returns the messages that a log of that level shows.
func logged(level slog.Level, run func(*configNotes)) string {
	var out bytes.Buffer
	onlyMessages := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key != slog.MessageKey {
			return slog.Attr{}
		}
		return a
	}
	handler := slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level, ReplaceAttr: onlyMessages})
	run(&configNotes{log: slog.New(handler)})
	return out.String()
}

func TestKeysWithoutEffectAreNotedOnce(t *testing.T) {
	c := &config.Config{Path: "/p/wrangler.jsonc", Unused: []config.Unused{
		{
			Key: "minify", Reason: "is about bundling JavaScript",
			Pos: config.Position{File: "wrangler.jsonc", Line: 3, Column: 5},
		},
		{Key: "alias"},
		{Key: "rules"},
		{Key: "routes"},
		{Key: "logpush"},
	}}
	twice := func(n *configNotes) {
		n.loaded(c)
		n.loaded(c)
	}
	info := logged(slog.LevelInfo, twice)
	want := "without effect here, in wrangler.jsonc: minify, alias, rules, routes and 1 more"
	if strings.Count(info, want) != 1 {
		t.Errorf("logged %q, want %q once", info, want)
	}
	debug := logged(slog.LevelDebug, twice)
	if want := "wrangler.jsonc:3:5: minify is about bundling JavaScript"; strings.Count(debug, want) != 1 {
		t.Errorf("logged %q, want %q once", debug, want)
	}
	if got := logged(slog.LevelDebug, func(n *configNotes) { n.loaded(&config.Config{}) }); got != "" {
		t.Errorf("a configuration without unused keys: logged %q", got)
	}
}

func TestTheFileThatWranglerWouldReadIsNoted(t *testing.T) {
	outer := t.TempDir()
	inner := filepath.Join(outer, "app")
	if err := os.Mkdir(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	own, other := filepath.Join(inner, "wrangler.jsonc"), filepath.Join(outer, "wrangler.json")
	for _, path := range []string{own, other} {
		if err := os.WriteFile(path, []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := logged(slog.LevelInfo, func(n *configNotes) { n.found(inner, own) })
	if !strings.Contains(got, own) || !strings.Contains(got, "wrangler would read "+other) {
		t.Errorf("logged %q, want both files named", got)
	}
	if got := logged(slog.LevelInfo, func(n *configNotes) { n.found(outer, other) }); got != "" {
		t.Errorf("devtool and wrangler read the same file: logged %q", got)
	}
}
