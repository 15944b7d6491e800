package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"devtool.internal/templates"
)

// An addition is what `devtool init --into` does to a module, planned before anything is written.
type addition struct {
	m        *goModule
	project  string // folder of the configuration, in the module
	name     string // of the worker
	template templates.Template

	files   []addedFile
	wrote   bool     // whether the template's handlers are among files
	remarks []string // what is left to do, one sentence or two each
}

// addedFile is a file that an addition writes. before is nil if the file is new.
type addedFile struct {
	path          string
	mode          fs.FileMode
	before, after []byte
	change        string // what the report says
}

// moduleToJoin returns the module whose go.mod is in project, if it can be offered to add devtool
// to it.
func moduleToJoin(s Streams, project string) *goModule {
	m, err := findModule(s, project)
	if err != nil || m == nil || m.dir != project || m.requires(sdkModule) || m.requires(oldSDKModule) {
		return nil
	}
	return m
}

// offerModule asks whether to add devtool to the module m, which is in dir. Where it can't ask, it
// returns an error that says how.
func offerModule(s Streams, o initOptions, m *goModule, dir string) error {
	if s.IsTerminal(s.In) && s.IsTerminal(s.Err) && !o.json {
		fmt.Fprintf(s.Err, "%s has the Go module %s. Add devtool to it? [Y/n] ", m.dir, m.path())
		answer, err := bufio.NewReader(s.In).ReadString('\n')
		switch answer = strings.ToLower(strings.TrimSpace(answer)); {
		case err == nil && (answer == "" || answer == "y" || answer == "yes"):
			return addToModule(s, o, dir)
		case err != nil:
			fmt.Fprintln(s.Err)
		}
	}
	command := "devtool init --into"
	if m.dir != s.Dir {
		command += " " + shellQuote(dir)
	}
	return failure("`"+command+"` adds devtool to it; to make a new project, choose another folder",
		"%s has the Go module %s", m.dir, m.path())
}

// addToModule adds devtool to the module that dir belongs to: all that is missing, or nothing.
func addToModule(s Streams, o initOptions, dir string) error {
	project := s.path(dir)
	if info, err := os.Stat(project); err == nil && !info.IsDir() {
		return failure("name a folder", "%s is a file", project)
	}
	m, err := findModule(s, project)
	switch {
	case err != nil:
		return err
	case m == nil:
		return failure("run `go mod init NAME` there first; `devtool init` without --into makes a new project",
			"%s is not in a Go module", project)
	case m.path() == sdkModule:
		return failure("choose the module that is to use the SDK", "%s is the SDK's own module", m.dir)
	}
	if err := refuseOldModule(s, project); err != nil {
		return err
	}
	a := addition{m: m, project: project}
	if a.template, err = chosenTemplate(cmp.Or(o.template, "counter")); err != nil {
		return err
	}
	if a.name, err = workerName(o.name, project); err != nil {
		return err
	}
	if err := a.plan(s); err != nil {
		return err
	}
	updated, err := a.apply(s)
	if err != nil {
		return fmt.Errorf("add devtool to %s: %w", m.path(), err)
	}
	return a.report(s, o.json, dir, updated)
}

// plan decides what to write. It returns an error if something is in the way.
func (a *addition) plan(s Streams) error {
	if _, err := sdkFiles(s.SDK); err != nil {
		return err
	}
	if err := a.planModule(); err != nil {
		return err
	}
	if err := a.planProgram(s); err != nil {
		return err
	}
	if err := a.planIgnored(a.m.dir); err != nil || a.project == a.m.dir {
		return err
	}
	return a.planIgnored(a.project) // its .devtool has the build and the state
}

// add plans to write after to path, which is a new file if before is nil.
func (a *addition) add(path string, before, after []byte, change string) error {
	f := addedFile{path: path, mode: 0o644, before: before, after: after, change: change}
	info, err := os.Stat(path)
	switch {
	case err == nil && before == nil:
		return failure("nothing was written, because init overwrites no file: move it away, or name another "+
			"folder with `devtool init --into DIR`", "%s already exists", path)
	case err == nil:
		f.mode = info.Mode().Perm()
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("look at file: %w", err)
	}
	a.files = append(a.files, f)
	return nil
}

// apply writes the files and the SDK, and returns the folders of the SDK that were written. After
// an error everything is as it was.
func (a *addition) apply(s Streams) (updated []string, err error) {
	sdk := filepath.Join(a.m.dir, filepath.FromSlash(sdkDir))
	made := missingFolders(sdk)
	var written []addedFile
	defer func() {
		if err == nil {
			return
		}
		for _, f := range written {
			if f.before != nil {
				err = errors.Join(err, putFile(f.path, filepath.Dir(f.path), f.before, f.mode))
			} else {
				err = errors.Join(err, os.Remove(f.path))
			}
		}
		if slices.Contains(made, sdk) {
			err = errors.Join(err, os.RemoveAll(sdk))
		}
		for _, folder := range made {
			_ = os.Remove(folder) // this fails unless the folder is empty, as it should
		}
	}()
	for _, f := range a.files {
		folder := filepath.Dir(f.path)
		made = append(missingFolders(folder), made...)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return nil, err
		}
		if err := putFile(f.path, folder, f.after, f.mode); err != nil {
			return nil, err
		}
		written = append(written, f)
	}
	return refreshSDK(s, a.m.dir)
}

// missingFolders returns folder and those above it that do not exist, the lowest first.
func missingFolders(folder string) (missing []string) {
	for {
		if _, err := os.Lstat(folder); err == nil || folder == filepath.Dir(folder) {
			return missing
		}
		missing = append(missing, folder)
		folder = filepath.Dir(folder)
	}
}

// report says what was done, file by file, and what is left to do.
func (a *addition) report(s Streams, asJSON bool, dir string, updated []string) error {
	type changed struct {
		File   string `json:"file"`
		Change string `json:"change"`
	}
	changes := []changed{}
	for _, f := range a.files {
		changes = append(changes, changed{a.m.relative(f.path), f.change})
	}
	for _, folder := range updated {
		changes = append(changes, changed{a.m.relative(folder), "the SDK"})
	}
	if len(changes) > 0 {
		a.remarkModule(s)
	}
	result := struct {
		Dir     string    `json:"dir"`
		Module  string    `json:"module"`
		Name    string    `json:"name"`
		Changes []changed `json:"changes"`
		Remarks []string  `json:"remarks"`
	}{a.project, a.m.path(), a.name, changes, append([]string{}, a.remarks...)}
	return printer{out: s.Out, json: asJSON}.print(result, func(w io.Writer) {
		if len(changes) == 0 {
			fmt.Fprintf(w, "%s in %s has devtool: nothing is left to add\n", a.m.path(), a.m.dir)
			printJoin(w, s, a.m.dir)
			return
		}
		fmt.Fprintf(w, "Added devtool to %s in %s:\n\n", a.m.path(), a.m.dir)
		var rows [][]string
		for _, c := range changes {
			rows = append(rows, []string{"  " + c.File, c.Change})
		}
		table(w, rows...)
		for _, remark := range a.remarks {
			fmt.Fprintf(w, "\n%s\n", remark)
		}
		printJoin(w, s, a.m.dir)
		fmt.Fprintf(w, "\nNext, to serve it%s:\n\n  %s\n", tryIf(a.wrote), a.start(s, dir))
		if a.wrote {
			fmt.Fprintf(w, "  %s\n", a.template.Try)
		}
	})
}

// start returns the command that serves the project. dir is the folder that the user has named.
func (a *addition) start(s Streams, dir string) string {
	if s.path(dir) != a.project {
		dir = a.project
	}
	return startCommand(s, a.project, dir)
}

func tryIf(wrote bool) string {
	if wrote {
		return ", and to try it from another terminal"
	}
	return ""
}

// remarkModule adds what the go command and git need before the module builds everywhere.
func (a *addition) remarkModule(s Streams) {
	if isFile(filepath.Join(a.m.dir, "vendor", "modules.txt")) {
		a.remarks = append(a.remarks, "The go command builds from the vendor folder, which lacks the SDK: "+
			"run `go mod vendor`.")
	}
	if w := findWorkspace(s, a.m.dir); w != nil && isFile(filepath.Join(w.dir(), "vendor", "modules.txt")) {
		a.remarks = append(a.remarks, "The go command builds from the workspace's vendor folder, which lacks the "+
			"SDK: run `go work vendor`.")
	}
	if rule := ignoringRule(a.m.dir, sdkDir+"/go.mod"); rule != "" {
		a.remarks = append(a.remarks, fmt.Sprintf("git ignores %s, by %s. A fresh clone builds only with it: "+
			"change that rule.", sdkDir, rule))
	}
}

// ignoringRule returns the place and the text of the rule by which git ignores the file called name
// in dir. It is empty if git does not ignore it, or is not there.
func ignoringRule(dir, name string) string {
	command := exec.Command("git", "check-ignore", "-v", "--", name)
	command.Dir = dir
	out, err := command.Output()
	rule, _, found := bytes.Cut(out, []byte("\t"))
	if err != nil || !found || strings.Contains(string(rule), ":!") {
		return ""
	}
	return string(rule)
}
