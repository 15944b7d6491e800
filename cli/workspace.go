package cli

import (
	"fmt"
	goversion "go/version"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"devtool.internal/internal/safefile"
)

// Each project has its own copy of the SDK, and the go command allows one copy in a workspace. So
// two projects build in one go.work file only if that file names the copy that they share.

// workspace is a go.work file.
type workspace struct {
	path string
	file *modfile.WorkFile
}

// findWorkspace returns the workspace that governs dir, or nil if there is none.
// It ignores a go.work file that can't be read: the go command says what is wrong with it.
func findWorkspace(s Streams, dir string) *workspace {
	path := s.Env("GOWORK")
	switch path {
	case "off":
		return nil
	case "":
		path = findUpwards(dir, "go.work")
	}
	source, err := safefile.ReadSource(path, maxGoMod)
	if err != nil {
		return nil
	}
	file, err := modfile.ParseWork(path, source, anyVersion)
	if err != nil {
		return nil
	}
	return &workspace{path, file}
}

func (w *workspace) dir() string { return filepath.Dir(w.path) }

// sharedSDK returns the folder that replaces the SDK's module for all of the workspace, or "".
func (w *workspace) sharedSDK() string { return replacedSDK(w.dir(), w.file.Replace) }

// modules returns the folders of the workspace's modules.
func (w *workspace) modules() []string {
	var folders []string
	for _, use := range w.file.Use {
		folders = append(folders, absolute(w.dir(), use.Path))
	}
	return folders
}

// relative returns folder as commands that run beside the go.work file name it.
func (w *workspace) relative(folder string) string {
	rel, err := filepath.Rel(w.dir(), folder)
	if err != nil {
		return filepath.ToSlash(folder)
	}
	if filepath.IsLocal(rel) {
		return "./" + filepath.ToSlash(rel)
	}
	return filepath.ToSlash(rel)
}

// conflict returns the SDKs of modules, as the workspace names them, if the go command would refuse
// them: two or more, and no shared one.
func (w *workspace) conflict(modules []string) []string {
	if w.sharedSDK() != "" {
		return nil
	}
	var sdks []string
	for _, module := range modules {
		source, err := safefile.ReadSource(filepath.Join(module, "go.mod"), maxGoMod)
		if err != nil {
			continue // the go command says so
		}
		file, err := modfile.Parse("go.mod", source, anyVersion)
		if err != nil {
			continue
		}
		if sdk := replacedSDK(module, file.Replace); sdk != "" && !slices.Contains(sdks, w.relative(sdk)) {
			sdks = append(sdks, w.relative(sdk))
		}
	}
	if len(sdks) < 2 {
		return nil
	}
	return sdks
}

// shareCommand returns the command, to be run beside go.work, with which all modules use one of
// sdks.
func shareCommand(sdks []string) string {
	return "go work edit -replace " + sdkModule + "=" + shellQuote(sdks[0])
}

// refuseConflict returns an error if the workspace around dir has modules with different SDKs.
func refuseConflict(s Streams, dir string) error {
	w := findWorkspace(s, dir)
	if w == nil {
		return nil
	}
	sdks := w.conflict(w.modules())
	if sdks == nil || !goUses(w.path, dir) {
		return nil
	}
	return failure(fmt.Sprintf("run `%s` in %s to share one", shareCommand(sdks), w.dir()),
		"%s has modules with different SDKs, %s and %s", s.short(w.path), sdks[0], sdks[1])
}

// goUses reports whether the go command in dir works with that go.work file. Its own settings may
// say no.
func goUses(work, dir string) bool {
	command := exec.Command("go", "env", "GOWORK")
	command.Dir = dir
	used, err := command.Output()
	return err == nil && strings.TrimSpace(string(used)) == work
}

// joinCommands returns the commands, to be run in folder, that make the module in project part of
// the workspace around it. There are none where nothing is left to do.
func joinCommands(s Streams, project string) (commands []string, folder string) {
	w := findWorkspace(s, project)
	if w == nil || !goUses(w.path, project) {
		return nil, ""
	}
	modules := w.modules()
	if !slices.Contains(modules, project) {
		modules = append(modules, project)
		commands = append(commands, "go work use "+shellQuote(w.relative(project)))
	} else if goversion.Compare("go"+goVersion(w.file.Go), "go"+sdkGo) < 0 {
		commands = append(commands, "go work use") // which raises the go line to that of the modules
	}
	if sdks := w.conflict(modules); sdks != nil {
		commands = append(commands, shareCommand(sdks))
	}
	return commands, w.dir()
}
