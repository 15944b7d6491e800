package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"devtool.internal/internal/spelling"
	"devtool.internal/templates"
)

type initOptions struct {
	template string
	name     string
	into     bool
	upgrade  bool
	json     bool
}

func initCommand() *command {
	var o initOptions
	about := `Nothing that exists is overwritten. With --into, an existing Go module gets what it lacks:
the SDK, its lines in go.mod, a configuration, and handlers to start from if no program
of the module imports the SDK. With --upgrade, a project that was made by another devtool
gets the SDK of this one, and its go.mod and imports get the SDK's present path.

Templates:
`
	for _, t := range templates.All() {
		about += fmt.Sprintf("\n  %-9s %s", t.Name, t.Description)
	}
	return &command{
		name:    "init",
		summary: "Make a new project from a template",
		about:   about,
		args:    []argument{{name: "DIR", usage: "folder of the project (default: this one)", optional: true}},
		flags: []flag{
			{
				name: "template", value: "TEMPLATE", target: &o.template,
				usage: "template to start from (default: " + templates.All()[0].Name + ")",
			},
			{name: "name", value: "NAME", usage: "name of the worker (default: the folder's)", target: &o.name},
			{name: "into", usage: "add devtool to the Go module that DIR belongs to", target: &o.into},
			{name: "upgrade", usage: "migrate the project in DIR to the SDK of this devtool", target: &o.upgrade},
			{name: "json", usage: "print JSON", target: &o.json},
		},
		examples: []example{
			{"devtool init my-app", "in a new folder"},
			{"devtool init --template counter", "in this one"},
			{"devtool init --into", "add devtool to the Go module in this one"},
			{"devtool init --upgrade", "for the project in this one"},
		},
		run: func(_ context.Context, s Streams, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			if o.upgrade && o.into {
				return misuse("--into is for a module without the SDK, --upgrade for one with it",
					"cannot combine --into and --upgrade")
			}
			if o.upgrade {
				if o.template != "" || o.name != "" {
					return misuse("--template and --name are for a new project",
						"cannot combine --upgrade with --template or --name")
				}
				return upgradeProject(s, o.json, dir)
			}
			if o.into {
				return addToModule(s, o, dir)
			}
			if m := moduleToJoin(s, s.path(dir)); m != nil {
				return offerModule(s, o, m, dir)
			}
			return initProject(s, o, dir)
		},
	}
}

// initProject writes a new project into dir, all of it or nothing.
func initProject(s Streams, o initOptions, dir string) error {
	project := s.path(dir)
	template, err := chosenTemplate(cmp.Or(o.template, templates.All()[0].Name))
	if err != nil {
		return err
	}
	name, err := workerName(o.name, project)
	if err != nil {
		return err
	}

	files, err := template.Files(name)
	if err != nil {
		return err
	}
	files["go.mod"] = goMod(name)
	files[".gitignore"] = gitignore()
	if _, err := sdkFiles(s.SDK); err != nil {
		return err
	}
	made := slices.Sorted(maps.Keys(files))
	made = append([]string{sdkDir}, made...)
	if err := refuseExisting(project, made); err != nil {
		return err
	}
	if err := writeProject(s, project, files); err != nil {
		return err
	}

	result := struct {
		Dir      string   `json:"dir"`
		Name     string   `json:"name"`
		Template string   `json:"template"`
		Files    []string `json:"files"`
	}{project, name, template.Name, made}
	return printer{out: s.Out, json: o.json}.print(result, func(w io.Writer) {
		fmt.Fprintf(w, "Made %s in %s from the template %s:\n\n", name, project, template.Name)
		for _, file := range made {
			fmt.Fprintf(w, "  %s\n", file)
		}
		fmt.Fprintf(w, "\nNext, to serve it, and to try it from another terminal:\n\n  %s\n  %s\n",
			startCommand(s, project, dir), template.Try)
		printJoin(w, s, project)
	})
}

// startCommand returns the command that serves the project, which the user has called dir.
func startCommand(s Streams, project, dir string) string {
	if project == s.Dir {
		return "devtool dev"
	}
	return "cd " + shellQuote(dir) + " && devtool dev"
}

// workerName returns the given name for a worker, or else one that resembles the project's folder.
func workerName(given, project string) (string, error) {
	if given == "" {
		return nameFrom(filepath.Base(project)), nil
	}
	if !validName.MatchString(given) {
		return "", misuse(fmt.Sprintf("use a-z, 0-9, - and _, like --name %s", nameFrom(given)),
			"%q is not a worker's name", given)
	}
	return given, nil
}

// printJoin shows the commands that the workspace around project needs, if there are any.
func printJoin(w io.Writer, s Streams, project string) {
	commands, folder := joinCommands(s, project)
	if len(commands) == 0 {
		return
	}
	fmt.Fprintf(w, "\nThe go.work file in %s needs these commands, run there:\n\n", folder)
	for _, command := range commands {
		fmt.Fprintf(w, "  %s\n", command)
	}
}

// chosenTemplate returns the template of that name. The error for an unknown one has a suggestion.
func chosenTemplate(name string) (templates.Template, error) {
	if template, found := templates.Lookup(name); found {
		return template, nil
	}
	var names []string
	for _, t := range templates.All() {
		names = append(names, t.Name)
	}
	hint := "there are " + strings.Join(names, ", ")
	if meant := spelling.Closest(name, names); meant != "" {
		hint = "did you mean " + meant + "? There are " + strings.Join(names, ", ")
	}
	return templates.Template{}, misuse(hint, "unknown template %q", name)
}

// refuseExisting returns an error if any of files exists in project. The error lists them.
func refuseExisting(project string, files []string) error {
	if info, err := os.Stat(project); err == nil && !info.IsDir() {
		return failure("name a folder", "%s is a file", project)
	}
	var existing []string
	for _, file := range files {
		_, err := os.Lstat(filepath.Join(project, filepath.FromSlash(file)))
		if err == nil {
			existing = append(existing, file)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("look into folder: %w", err)
		}
	}
	if len(existing) > 0 {
		return failure("nothing was written, because init overwrites no file: choose another folder, "+
			"move them away, or use --upgrade if it is a project",
			"%s already has %s", project, strings.Join(existing, ", "))
	}
	return nil
}

// writeProject writes files and the SDK into project. On an error it removes what it has written.
func writeProject(s Streams, project string, files map[string][]byte) (err error) {
	var written []string
	defer func() {
		if err != nil {
			for _, file := range written {
				_ = os.RemoveAll(file)
			}
			err = fmt.Errorf("write project: %w", err)
		}
	}()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		target := filepath.Join(project, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		file, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		written = append(written, target)
		_, err = file.Write(files[name])
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	written = append(written, filepath.Join(project, filepath.FromSlash(sdkDir)))
	_, err = writeSDK(s.SDK, project)
	return err
}

// validName matches the names that the platform accepts for a worker.
var validName = regexp.MustCompile(`^[a-z0-9_][a-z0-9_-]*$`)

// nameFrom returns a valid name that resembles text.
func nameFrom(text string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_':
			return r
		default:
			return '-'
		}
	}, strings.ToLower(text))
	for strings.Contains(name, "--") {
		name = strings.ReplaceAll(name, "--", "-")
	}
	if name = strings.Trim(name, "-"); name == "" {
		return "my-worker"
	}
	return name
}

// reservedModules matches names that the go command refuses for a module or confuses with others:
// those of the standard library, of devtool and of devices on Windows.
var reservedModules = regexp.MustCompile(`^(all|archive|bufio|builtin|bytes|cmd|cmp|compress|container|` +
	`context|crypto|database|debug|embed|encoding|errors|expvar|flag|fmt|go|hash|html|image|index|internal|` +
	`io|iter|log|main|maps|math|mime|net|os|path|plugin|reflect|regexp|runtime|slices|sort|std|strconv|` +
	`strings|structs|sync|syscall|testing|text|time|tool|unicode|unique|unsafe|vendor|weak|work|devtool|con|` +
	`prn|aux|nul|com[0-9]|lpt[0-9])$`)

// goMod returns the project's go.mod. The module has the worker's name unless the go command
// reserves that.
func goMod(name string) []byte {
	module := name
	if reservedModules.MatchString(name) {
		module += "-worker"
	}
	return fmt.Appendf(nil, "module %s\n\ngo %[4]s\n\nrequire %[2]s v0.0.0\n\nreplace %[2]s => ./%[3]s\n",
		module, sdkModule, sdkDir, sdkGo)
}

// The lines of a .gitignore file exclude what belongs to one machine. They keep the SDK, because a
// fresh clone would not build without it.
var (
	ignoreDevtool = []string{".devtool/*", "!.devtool/sdk/"}
	ignoreDevVars = []string{".dev.vars*", "!.dev.vars.example", "!.dev.vars.*.example"}
	ignoreDotEnv  = []string{".env*", "!.env.example", "!.env.*.example"}
)

// gitignore returns the .gitignore file of a new project.
func gitignore() []byte {
	lines := slices.Concat(ignoreDevtool, []string{""}, ignoreDevVars, ignoreDotEnv)
	return []byte(strings.Join(lines, "\n") + "\n")
}

// shellQuote returns path as it has to be typed in a shell.
func shellQuote(path string) string {
	if strings.HasPrefix(path, "-") {
		path = "./" + path // or the command would parse it as a flag
	}
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("/._-+:\\~", r)
	}
	if path != "" && strings.IndexFunc(path, func(r rune) bool { return !plain(r) }) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
