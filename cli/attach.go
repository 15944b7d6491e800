package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"devtool.internal/config"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
	"devtool.internal/emulator/state"
	"devtool.internal/internal/printable"
)

// Only one emulator can use a state at a time. This file is about a second `devtool dev` on it.

// runningOn returns the emulator that uses the state that o selects, or nil if there is none. It
// leaves errors of the configuration to openProject.
func runningOn(s Streams, o devOptions) (*client.Announcement, error) {
	path, err := s.configPath(o.config)
	if err != nil {
		return nil, nil //nolint:nilerr // as said
	}
	project := filepath.Dir(path)
	state := s.stateFolder(project, o.persistTo)
	running, err := client.Emulators(project)
	if err != nil {
		return nil, err
	}
	for _, a := range running {
		if sameFile(a.State, state) {
			return &a, nil
		}
	}
	return nil, nil
}

// sameFile reports whether both paths lead to the same file.
func sameFile(a, b string) bool {
	if a == b {
		return true
	}
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// inUseHint says what to do about a state that another emulator uses.
func inUseHint(e *state.InUseError) string {
	if e.URL == "" {
		return "wait until that has ended, or choose another folder with --persist-to"
	}
	return "`devtool dev --attach` follows it, `devtool stop` ends it; or choose another folder with --persist-to"
}

// followedLines is how many earlier lines of the log a follower shows.
const followedLines = 10

// follow shows the log of a running emulator until ctx or the emulator ends. When ctx ends, the
// emulator goes on.
func follow(
	ctx context.Context, s Streams, o devOptions, out *display, quit func(), running client.Announcement,
) error {
	client := running.Client()
	client.OnSilence = sync.OnceFunc(func() { fmt.Fprintln(out, silentText(ofProcess(running))) })
	// The emulator has reported the warnings already.
	c, _, err := config.Load(running.Config, config.Options{Env: s.environment(o.env)})
	if err != nil {
		return s.explainDev(out, err)
	}
	sources := config.VarSources{EnvFiles: o.envFiles, Environ: s.Environ()}
	if _, err := c.LoadVars(sources); err != nil {
		return s.explainDev(out, err)
	}
	facts, err := factsOf(ctx, client)
	if err != nil {
		return err
	}
	if err := present(s, o, out, c, facts); err != nil {
		return err
	}
	level, err := parseLevel(o.logLevel)
	if err != nil {
		return err
	}
	show := logPrinter{
		out: out, printed: printable.NewColors(out.handler(), colored(s, s.Err)),
		handler: textHandler(out, level, colored(s, s.Err)), level: level,
	}
	if o.logFormat == logJSON {
		show = logPrinter{out: out, json: true}
	}
	release := offerHotkeys(ctx, s, o, &hotkeys{
		display: out, client: client, url: facts.status.URL, quit: quit, leaving: "detach",
	})
	err = client.Logs(ctx, control.LogsRequest{Lines: followedLines, Follow: true}, show.line)
	release()
	if ctx.Err() != nil { // the wish to end is no failure
		return nil
	}
	if err == nil && !o.json && o.logFormat == logText {
		fmt.Fprintln(out, "the emulator has ended")
	}
	return err
}

// factsOf asks an emulator for the content of its start screen.
func factsOf(ctx context.Context, client *client.Client) (facts screenFacts, err error) {
	facts.ending = "Ctrl-C detaches, and it goes on"
	now, err := client.Report(ctx)
	if err != nil {
		return facts, err
	}
	facts.status, facts.unserved = now.Status, now.Program.Unserved()
	if facts.time, err = client.Time(ctx); err != nil {
		return facts, err
	}
	crons, err := client.Crons(ctx)
	if err != nil {
		return facts, err
	}
	facts.crons = crons.Crons
	alarms, err := client.ListAlarms(ctx, control.AlarmsRequest{})
	for _, a := range alarms.Alarms {
		if a.Held {
			facts.held = append(facts.held, a)
		}
	}
	return facts, err
}
