package cli

import (
	"log/slog"
	"strings"
	"time"

	"devtool.internal/config"
	"devtool.internal/emulator/world"
)

// devSettings are the parsed values of those flags of devOptions whose text must be parsed.
type devSettings struct {
	level  slog.Level
	limits world.Limits
	missed world.Missed
	start  time.Time // where the clock starts; zero for where it stood
	grace  *time.Duration
	vars   []config.Var
}

// parse parses the values of the flags. It opens no file.
func (o devOptions) parse() (p devSettings, err error) {
	if p.level, err = parseLevel(o.logLevel); err != nil {
		return p, err
	}
	if o.logFormat != logText && o.logFormat != logJSON {
		return p, misuse("choose text or json", "there is no log format %q", o.logFormat)
	}
	if p.limits, err = parseLimits(o.limits); err != nil {
		return p, err
	}
	if p.missed, err = parseMissed(o.missed); err != nil {
		return p, err
	}
	if p.grace, err = parseGrace(o.grace); err != nil {
		return p, err
	}
	if err := o.check(); err != nil {
		return p, err
	}
	if o.time != "" {
		if p.start, err = parseTime(o.time); err != nil {
			return p, err
		}
	}
	p.vars, err = parseVars(o.vars)
	return p, err
}

func parseLevel(s string) (slog.Level, error) {
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug,
		"info":  slog.LevelInfo,
		"log":   slog.LevelInfo, // wrangler's name
		"warn":  slog.LevelWarn,
		"error": slog.LevelError,
		"none":  slog.LevelError + 1,
	}
	level, ok := levels[s]
	if !ok {
		return 0, misuse("choose debug, info, warn, error or none", "there is no log level %q", s)
	}
	return level, nil
}

func parseLimits(s string) (world.Limits, error) {
	switch s {
	case "production":
		return world.ProductionLimits, nil
	case "local":
		return world.LocalLimits, nil
	}
	return world.Limits{}, misuse("choose production or local", "there is no profile of limits %q", s)
}

func parseMissed(s string) (world.Missed, error) {
	switch m := world.Missed(s); m {
	case world.MissedFire, world.MissedSkip, world.MissedHold:
		return m, nil
	}
	return "", misuse("choose fire, skip or hold", "missed alarms can't be %q", s)
}

// parseGrace parses the value of --grace. It returns nil if the flag was not given.
func parseGrace(s string) (*time.Duration, error) {
	if s == "" {
		return nil, nil
	}
	d, err := parseDuration(s)
	if err != nil || d < 0 {
		return nil, misuse("write it like 5s, 1m30s or 0", "the grace period can't be %q", s)
	}
	return &d, nil
}

// parseVars parses the values of --var.
func parseVars(given []string) ([]config.Var, error) {
	var vars []config.Var
	for _, g := range given {
		name, value, ok := strings.Cut(g, ":")
		if !ok || name == "" {
			return nil, misuse("write it like --var UPSTREAM:http://localhost:9000", "%q is not KEY:VALUE", g)
		}
		vars = append(vars, config.Var{Name: name, Value: value, From: "--var"})
	}
	return vars, nil
}
