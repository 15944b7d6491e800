package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"devtool.internal/config"
)

type configCheckOptions struct {
	env    string
	strict bool
	json   bool
}

func configCheckCommand() *command {
	o := configCheckOptions{env: unset}
	return &command{
		name:    "check",
		summary: "Report what is wrong with the configuration",
		about: `Reads the file as devtool dev does, at the top level and for each of its environments.
Exits with 1 if dev could not use it.`,
		args: []argument{{name: "FILE", optional: true, many: true,
			usage: "configuration (default: the wrangler file here or in the nearest folder above)"}},
		flags: []flag{
			{name: "env", short: "e", value: "NAME", target: &o.env,
				usage: `check for this environment only; "" is the top level`},
			{name: "strict", usage: "treat warnings as errors", target: &o.strict},
			{name: "json", usage: "print JSON", target: &o.json},
		},
		examples: []example{
			{"devtool config check", ""},
			{"devtool config check --strict apps/*/wrangler.jsonc", "in CI"},
		},
		run: func(_ context.Context, s Streams, args []string) error {
			return configCheck(s, o, args)
		},
	}
}

func configCheck(s Streams, o configCheckOptions, files []string) error {
	if len(files) == 0 {
		files = []string{""}
	}
	answer := struct {
		Errors      int                 `json:"errors"`
		Warnings    int                 `json:"warnings"`
		Diagnostics []config.Diagnostic `json:"diagnostics"`
	}{Diagnostics: []config.Diagnostic{}}
	var passed []string // a line each
	hint := ""
	for _, file := range files {
		path, err := s.configPath(file)
		if err != nil {
			return err
		}
		found, err := diagnose(path, o.env)
		if err != nil {
			return err
		}
		if o.strict {
			if strict := raised(found); !slices.Equal(strict, found) {
				found, hint = strict, "--strict takes warnings for errors"
			}
		}
		bad, doubtful := 0, 0
		for _, d := range found {
			if d.Severity == config.SeverityError {
				bad++
			} else {
				doubtful++
			}
			d.Position.File = s.short(d.Position.File)
			answer.Diagnostics = append(answer.Diagnostics, d)
		}
		if bad == 0 {
			passed = append(passed, s.short(path)+": "+problems(bad, doubtful))
		}
		answer.Errors += bad
		answer.Warnings += doubtful
	}
	err := printer{out: s.Out, json: o.json}.print(answer, func(w io.Writer) {
		config.Render(w, answer.Diagnostics, colored(s, s.Out))
		for _, line := range passed {
			fmt.Fprintln(w, line)
		}
	})
	if err != nil || answer.Errors == 0 {
		return err
	}
	return failure(hint, "%s", problems(answer.Errors, answer.Warnings))
}

// diagnose returns the diagnostics of the file at path, without duplicates and in the file's order.
// They are those of env or, if that is unset, of the top level and all environments.
func diagnose(path, env string) ([]config.Diagnostic, error) {
	envs := []string{env}
	if env == unset {
		all, err := config.Environments(path)
		if found, err := diagnostics(nil, err); err != nil || found != nil {
			return found, err
		}
		envs = append([]string{""}, all...)
	}
	type identity struct {
		at          config.Position
		id, message string
	}
	known := make(map[identity]bool)
	var list []config.Diagnostic
	for _, env := range envs {
		c, found, err := config.Load(path, config.Options{Env: env})
		if err == nil {
			if wrong := checkMain(c); wrong != nil {
				err = &config.Error{Diagnostics: append(found, wrong.Diagnostics...)}
			}
		}
		if found, err = diagnostics(found, err); err != nil {
			return nil, err
		}
		for _, d := range found {
			if i := (identity{d.Position, d.ID, d.Message}); !known[i] {
				known[i] = true
				list = append(list, d)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b config.Diagnostic) int {
		return cmp.Or(cmp.Compare(a.Position.Line, b.Position.Line), cmp.Compare(a.Position.Column, b.Position.Column))
	})
	return list, nil
}

// diagnostics returns the diagnostics in err, if it has some, or else found.
func diagnostics(found []config.Diagnostic, err error) ([]config.Diagnostic, error) {
	var bad *config.Error
	if errors.As(err, &bad) {
		return bad.Diagnostics, nil
	}
	return found, err
}

// raised returns the diagnostics with warnings made errors.
func raised(found []config.Diagnostic) []config.Diagnostic {
	found = slices.Clone(found)
	for i := range found {
		if found[i].Severity == config.SeverityWarning {
			found[i].Severity = config.SeverityError
		}
	}
	return found
}

// problems formats the number of errors and warnings.
func problems(bad, doubtful int) string {
	var parts []string
	if bad > 0 {
		parts = append(parts, plural(int64(bad), "error"))
	}
	if doubtful > 0 {
		parts = append(parts, plural(int64(doubtful), "warning"))
	}
	return cmp.Or(strings.Join(parts, " and "), "no problems")
}
