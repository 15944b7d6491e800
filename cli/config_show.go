package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"

	"devtool.internal/config"
)

type configShowOptions struct {
	config   string
	env      string
	envFiles []string
	vars     []string
	json     bool
}

func configShowCommand() *command {
	o := configShowOptions{env: unset}
	return &command{
		name:    "show",
		summary: "Show each value that applies, and where it is from",
		about: `Shows the values that an environment inherits and its own, and the defaults. The values of
variables from --var, .dev.vars and .env files are hidden.`,
		flags: []flag{
			{name: "config", short: "c", value: "FILE", usage: "read this configuration", target: &o.config},
			{name: "env", short: "e", value: "NAME", target: &o.env,
				usage: "environment of the configuration (also: CLOUDFLARE_ENV)"},
			{name: "env-file", value: "FILE", usage: "as of devtool dev", target: &o.envFiles},
			{name: "var", value: "KEY:VALUE", usage: "as of devtool dev", target: &o.vars},
			{name: "json", usage: "print JSON", target: &o.json},
		},
		examples: []example{{"devtool config show --env staging", ""}},
		run: func(_ context.Context, s Streams, _ []string) error {
			return configShow(s, o)
		},
	}
}

// shownSetting is the JSON form of a setting.
type shownSetting struct {
	Key    string          `json:"key"`
	Value  json.RawMessage `json:"value,omitempty"` // not of variables from elsewhere: they may be secret
	From   config.Origin   `json:"from"`
	Name   string          `json:"name,omitempty"` // of where such variables are from
	File   string          `json:"file,omitempty"`
	Line   int             `json:"line,omitempty"`
	Column int             `json:"column,omitempty"`
}

func configShow(s Streams, o configShowOptions) error {
	path, err := s.configPath(o.config)
	if err != nil {
		return err
	}
	vars, err := parseVars(o.vars)
	if err != nil {
		return err
	}
	sources := config.VarSources{EnvFiles: o.envFiles, Given: vars, Environ: s.Environ()}
	c, settings, warnings, err := config.Explain(path, config.Options{Env: s.environment(o.env)}, sources)
	if err != nil {
		return s.explainDev(s.Err, err)
	}
	environments, err := config.Environments(path)
	if err != nil {
		return err
	}
	settings = append(settings, devDefaults(settings)...)
	for i := range warnings {
		warnings[i].Position.File = s.short(warnings[i].Position.File)
	}

	answer := struct {
		File         string              `json:"file"`
		Environment  string              `json:"environment"`
		Environments []string            `json:"environments"`
		Settings     []shownSetting      `json:"settings"`
		Diagnostics  []config.Diagnostic `json:"diagnostics"`
	}{s.short(path), c.Env, append([]string{}, environments...), nil, append([]config.Diagnostic{}, warnings...)}
	rows := [][]string{{"KEY", "VALUE", "FROM"}}
	for _, v := range settings {
		value, from := abridge(string(v.Value), widestSetting), string(v.From)
		if v.At.File != "" {
			v.At.File = s.short(v.At.File)
			from = v.At.String()
		}
		switch {
		case v.From == config.OriginVariables:
			value, from = "(hidden)", v.Name
		case v.From == config.OriginEnvironment:
			from += " (env." + c.Env + ")"
		case v.Key == "name" && c.Env != "":
			from += ", and the environment's name"
		}
		answer.Settings = append(answer.Settings,
			shownSetting{v.Key, v.Value, v.From, v.Name, v.At.File, v.At.Line, v.At.Column})
		rows = append(rows, []string{v.Key, value, from})
	}
	if !o.json {
		config.Render(s.Err, warnings, colored(s, s.Err))
	}
	return printer{out: s.Out, json: o.json}.print(answer, func(w io.Writer) {
		if c.Env != "" {
			fmt.Fprintf(w, "%s, environment %s\n\n", answer.File, c.Env)
		}
		table(w, rows...)
	})
}

// devDefaults are the defaults of `devtool dev` for settings that are missing.
func devDefaults(settings []config.Setting) []config.Setting {
	var missing []config.Setting
	for _, d := range []struct{ key, value string }{
		{"dev.ip", strconv.Quote(defaultHost)},
		{"dev.port", strconv.Itoa(defaultPort)},
	} {
		if !slices.ContainsFunc(settings, func(v config.Setting) bool { return v.Key == d.key }) {
			missing = append(missing,
				config.Setting{Key: d.key, Value: json.RawMessage(d.value), From: config.OriginDefault})
		}
	}
	return missing
}

// widestSetting is how many characters of a value the table shows.
const widestSetting = 60
