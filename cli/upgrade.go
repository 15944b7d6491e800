package cli

import (
	"bytes"
	"errors"
	"fmt"
	"go/format"
	goparser "go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/mod/modfile"

	"devtool.internal/internal/safefile"
)

// renaming is a path that an upgrade replaces in a file of the module.
type renaming struct {
	File string `json:"file"` // relative to the module, slash-separated
	Line int    `json:"line"`
	From string `json:"from"`
	To   string `json:"to"`
}

// edit replaces the bytes of a file from start to end.
type edit struct {
	start, end int
	text       string
}

// upgradedFile is a file of the module as it was and as it becomes.
type upgradedFile struct {
	path          string
	mode          fs.FileMode
	before, after []byte
	changes       []renaming
}

// upgradeProject migrates the module that dir belongs to: it writes the SDK's present path into
// go.mod and into the imports, and then the SDK. It changes no file unless it can read and parse
// all of them.
func upgradeProject(s Streams, asJSON bool, dir string) error {
	if fault := s.folderFault(dir); fault != "" {
		return failure("name the folder of a project", "%s", fault)
	}
	m, err := findModule(s, s.path(dir))
	if err != nil {
		return err
	}
	if m == nil {
		return failure("`devtool init` makes a new project", "%s is not in a Go module", s.path(dir))
	}
	if !m.requires(sdkModule) && !m.requires(oldSDKModule) {
		return failure("`devtool init --into` adds devtool to the module", "%s does not require the SDK's module, %s",
			s.short(filepath.Join(m.dir, "go.mod")), sdkModule)
	}
	if _, err := sdkFiles(s.SDK); err != nil {
		return err
	}
	files, err := m.upgrade(s)
	if err != nil {
		return err
	}
	updated, err := applyUpgrade(s, m.dir, files)
	if err != nil {
		return fmt.Errorf("upgrade project: %w", err)
	}
	return printUpgrade(s, asJSON, m, files, updated)
}

// upgrade returns the files of the module that have to change.
func (m *goModule) upgrade(s Streams) ([]upgradedFile, error) {
	goMod, err := m.upgradeGoMod()
	if err != nil {
		return nil, err
	}
	names, err := m.goFiles()
	if err != nil {
		return nil, fmt.Errorf("list Go files: %w", err)
	}
	files := []upgradedFile{goMod}
	var broken []error
	for _, name := range names {
		file, err := m.upgradeImports(s, name)
		if err != nil {
			broken = append(broken, err)
		}
		files = append(files, file)
	}
	if len(broken) > 0 {
		return nil, unparsed(broken)
	}
	return slices.DeleteFunc(files, func(f upgradedFile) bool { return bytes.Equal(f.before, f.after) }), nil
}

// unparsed is the error for files whose imports can't be changed.
func unparsed(broken []error) error {
	message := "parse " + broken[0].Error()
	if more := len(broken) - 1; more > 0 {
		message += fmt.Sprintf(" (and %s)", plural(int64(more), "more file"))
	}
	return failure("nothing was changed: correct the file, or remove it, and upgrade again", "%s", message)
}

// upgradeGoMod returns go.mod with the present path of the SDK's module. It removes a line with the
// old path if there is one with the present path, too.
func (m *goModule) upgradeGoMod() (upgradedFile, error) {
	f := upgradedFile{path: filepath.Join(m.dir, "go.mod"), before: m.source}
	info, err := os.Stat(f.path)
	if err != nil {
		return f, fmt.Errorf("read go.mod: %w", err)
	}
	f.mode = info.Mode().Perm()
	var edits []edit
	rename := func(old string, line *modfile.Line) {
		// No keyword contains the path, so its first occurrence in the line is the path.
		at := line.Start.Byte + bytes.Index(m.source[line.Start.Byte:], []byte(old))
		edits = append(edits, edit{at, at + len(old), renamed(old)})
		f.changes = append(f.changes, renaming{"go.mod", line.Start.Line, old, renamed(old)})
	}
	remove := func(old string, line *modfile.Line) {
		start := bytes.LastIndexByte(m.source[:line.Start.Byte], '\n') + 1
		end := len(m.source)
		if n := bytes.IndexByte(m.source[line.Start.Byte:], '\n'); n >= 0 {
			end = line.Start.Byte + n + 1
		}
		edits = append(edits, edit{start, end, ""})
		f.changes = append(f.changes, renaming{"go.mod", line.Start.Line, old, ""})
	}
	required := slices.ContainsFunc(m.file.Require, func(r *modfile.Require) bool { return r.Mod.Path == sdkModule })
	replaced := slices.ContainsFunc(m.file.Replace, func(r *modfile.Replace) bool { return r.Old.Path == sdkModule })
	for _, r := range m.file.Require {
		switch {
		case r.Mod.Path != oldSDKModule:
		case required:
			remove(r.Mod.Path, r.Syntax)
		default:
			rename(r.Mod.Path, r.Syntax)
		}
	}
	for _, r := range m.file.Replace {
		switch {
		case r.Old.Path != oldSDKModule:
		case replaced:
			remove(r.Old.Path, r.Syntax)
		default:
			rename(r.Old.Path, r.Syntax)
		}
	}
	for _, t := range m.file.Tool {
		if m.ofOldSDK(t.Path) {
			rename(t.Path, t.Syntax)
		}
	}
	slices.SortFunc(f.changes, func(a, b renaming) int { return a.Line - b.Line })
	f.after = applied(m.source, edits)
	return f, nil
}

// upgradeImports returns the Go file called name, relative to the module, with the present paths of
// the SDK's packages. Everything but the imports stays as it is.
func (m *goModule) upgradeImports(s Streams, name string) (f upgradedFile, err error) {
	// What a symbolic link leads to is the file to change.
	if f.path, err = filepath.EvalSymlinks(filepath.Join(m.dir, name)); err != nil {
		return f, err
	}
	info, err := os.Stat(f.path)
	if err != nil {
		return f, err
	}
	f.mode = info.Mode().Perm()
	if f.before, err = safefile.ReadSource(f.path, safefile.MaxSource); err != nil {
		return f, err
	}
	files, shown := token.NewFileSet(), s.short(filepath.Join(m.dir, name))
	parsed, err := goparser.ParseFile(files, shown, f.before, goparser.SkipObjectResolution)
	if err != nil {
		return f, err
	}
	var edits []edit
	for _, spec := range parsed.Imports {
		literal := spec.Path.Value
		path, err := strconv.Unquote(literal)
		if err != nil || !m.ofOldSDK(path) {
			continue
		}
		at := files.PositionFor(spec.Path.Pos(), false)
		quote := literal[:1]
		edits = append(edits, edit{at.Offset, at.Offset + len(literal), quote + renamed(path) + quote})
		f.changes = append(f.changes, renaming{filepath.ToSlash(name), at.Line, path, renamed(path)})
	}
	if f.after = applied(f.before, edits); len(edits) > 0 {
		f.after = tidied(f.before, f.after)
	}
	return f, nil
}

// tidied returns after as the tools that made before would have left it: gofmt, which aligns
// comments beside imports, and `devtool types`, which notes a hash of what it writes.
func tidied(before, after []byte) []byte {
	if formatted, err := format.Source(before); err == nil && bytes.Equal(formatted, before) {
		if formatted, err = format.Source(after); err == nil {
			after = formatted
		}
	}
	lines := func(file []byte) []byte { return bytes.ReplaceAll(file, []byte("\r\n"), []byte("\n")) }
	if bytes.HasPrefix(before, []byte(generatedBy)) && intact(lines(before)) {
		_, was, _ := bytes.Cut(lines(before), []byte("\n\n"))
		_, is, _ := bytes.Cut(lines(after), []byte("\n\n"))
		after = bytes.Replace(after, []byte(hashMark+hash(was)), []byte(hashMark+hash(is)), 1)
	}
	return after
}

// relative returns the path of a folder as seen from the module, or as it is if it is outside.
func (m *goModule) relative(folder string) string {
	rel, err := filepath.Rel(m.dir, folder)
	if err != nil || !filepath.IsLocal(rel) {
		return folder
	}
	return filepath.ToSlash(rel)
}

// applied returns source after edits, which do not overlap.
func applied(source []byte, edits []edit) []byte {
	slices.SortFunc(edits, func(a, b edit) int { return a.start - b.start })
	var result []byte
	at := 0
	for _, e := range edits {
		result = append(append(result, source[at:e.start]...), e.text...)
		at = e.end
	}
	return append(result, source[at:]...)
}

// applyUpgrade writes the files and the SDK and returns the folders of the SDK that were written.
// On an error the files are again as they were.
func applyUpgrade(s Streams, dir string, files []upgradedFile) (updated []string, err error) {
	var written []upgradedFile
	defer func() {
		if err == nil {
			return
		}
		for _, f := range written {
			err = errors.Join(err, putFile(f.path, filepath.Dir(f.path), f.before, f.mode))
		}
	}()
	for _, f := range files {
		if err := putFile(f.path, filepath.Dir(f.path), f.after, f.mode); err != nil {
			return nil, err
		}
		written = append(written, f)
	}
	return refreshSDK(s, dir)
}

// printUpgrade says what has changed, and what is left to do.
func printUpgrade(s Streams, asJSON bool, m *goModule, files []upgradedFile, updated []string) error {
	changes := []renaming{}
	for _, f := range files {
		changes = append(changes, f.changes...)
	}
	if updated == nil {
		updated = []string{}
	}
	result := struct {
		Dir     string     `json:"dir"`
		Module  string     `json:"module"`
		Changes []renaming `json:"changes"`
		SDK     []string   `json:"sdk"`
	}{m.dir, m.file.Module.Mod.Path, changes, updated}
	return printer{out: s.Out, json: asJSON}.print(result, func(w io.Writer) {
		if len(changes) == 0 && len(updated) == 0 {
			fmt.Fprintf(w, "%s in %s is up to date\n", result.Module, m.dir)
			return
		}
		fmt.Fprintf(w, "Upgraded %s in %s:\n\n", result.Module, m.dir)
		var rows [][]string
		for _, c := range changes {
			to := "-> " + c.To
			if c.To == "" {
				to = "removed"
			}
			rows = append(rows, []string{fmt.Sprintf("  %s:%d", c.File, c.Line), c.From, to})
		}
		for _, folder := range updated {
			rows = append(rows, []string{"  " + m.relative(folder), "the SDK", "written"})
		}
		table(w, rows...)
		if len(changes) > 0 && isFile(filepath.Join(m.dir, "vendor", "modules.txt")) {
			fmt.Fprintln(w, "\nThe vendor folder still has the old SDK: run `go mod vendor`.")
		}
		printJoin(w, s, m.dir)
	})
}
