// Package cli is the command line of devtool. It parses, asks the emulator or writes files, and
// prints. Other packages decide what things mean.
//
// A call runs through these steps:
//
//  1. Main binds the process's streams, environment and signals; tests call Run
//     with their own.
//  2. arrange (args.go) walks the tree of commands (app.go), separates flags from arguments
//     anywhere in the line, and refuses unknown names.
//  3. dispatch (app.go), the only code that knows the flag library, lets it parse the
//     flags into the command's options and run the command.
//  4. The command (a file each: init.go, dev.go, exec.go, alarms.go, objects.go, time.go,
//     version.go, vet.go, config.go, types.go) prints through a printer (printer.go), as text
//     for people or as JSON for programs.
//  5. Run reports the error, if there is one, and decides the exit code.
//
// The scripts of `devtool completion` call Run, too, for what a shell may offer (complete.go).
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/state"
	"devtool.internal/internal/printable"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1 // what was asked for did not succeed
	exitMisuse = 2 // what was asked for makes no sense
)

// Streams are the parts of the process that a command may use.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Env      func(name string) string
	Environ  func() []string // all that Env knows, as NAME=value
	Dir      string          // absolute; every relative path is meant from here
	SDK      fs.FS           // source of the packages that handlers import; see sdk.go

	// IsTerminal reports whether In, Out or Err is a terminal. Width returns how many characters
	// fit on its line.
	IsTerminal func(stream any) bool
	Width      func(stream any) int
}

// Main runs the command line args, without the program's name, and returns the exit code. sdk holds
// the source of the handler packages.
func Main(args []string, sdk fs.FS) int {
	if code, asked := keepTerminal(os.Getenv); asked {
		return code
	}
	ctx, stop := interruptible()
	defer stop()

	streams := Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.Getenv, Environ: os.Environ, SDK: sdk,
		IsTerminal: isTerminal, Width: width,
	}
	dir, err := os.Getwd()
	if err != nil {
		report(streams.safe(), fmt.Errorf("find working directory: %w", err), false)
		return exitFailed
	}
	streams.Dir = dir
	return Run(ctx, args, streams)
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// width returns the width of a terminal, or that of most terminals if it is unknown.
func width(stream any) int {
	if file, ok := stream.(*os.File); ok {
		if columns, _, err := term.GetSize(int(file.Fd())); err == nil && columns > 0 {
			return columns
		}
	}
	return 80
}

// Run is Main with everything injected: it runs args and returns the exit code.
func Run(ctx context.Context, args []string, s Streams) int {
	s = s.safe()
	if len(args) > 0 && args[0] == completeCommand {
		return complete(ctx, s, args[1:])
	}
	var g globals
	root := rootCommand(&g)
	call, err := arrange(root, args)
	if err == nil {
		switch {
		case call.help:
			err = writeHelp(s.Out, root, call)
		case call.version:
			err = version(s, call.json)
		default:
			err = dispatch(ctx, root, &g, call, s)
		}
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = errors.New("interrupted")
	}
	if _, said := err.(exitStatus); err != nil && !said {
		report(s, err, call.json)
	}
	return exitCode(err)
}

// problem is an error with a hint and an exit code.
type problem struct {
	message string
	hint    string // what to do; may be empty
	code    int
}

func (p *problem) Error() string { return p.message }

// misuse returns the error for a call that makes no sense.
func misuse(hint, format string, args ...any) error {
	return &problem{fmt.Sprintf(format, args...), hint, exitMisuse}
}

// failure returns the error for a call that did not succeed.
func failure(hint, format string, args ...any) error {
	return &problem{fmt.Sprintf(format, args...), hint, exitFailed}
}

// exitStatus is the exit code of a command that `devtool exec` ran. The command has reported its
// error itself.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func exitCode(err error) int {
	var p *problem
	var status exitStatus
	switch {
	case errors.As(err, &status):
		return int(status)
	case err == nil:
		return exitDone
	case errors.As(err, &p):
		return p.code
	default:
		return exitFailed
	}
}

// explain splits err into a message and a hint, which may be empty.
func explain(err error) (message, hint string) {
	var p *problem
	var refused *control.Error
	var inUse *state.InUseError
	var taken *takenError
	switch {
	case errors.As(err, &inUse):
		message, hint = err.Error(), inUseHint(inUse)
	case errors.As(err, &taken):
		message, hint = err.Error(), "stop what listens there, or choose another with --port (0 takes any)"
	case errors.As(err, &p):
		message, hint = err.Error(), p.hint
	case errors.As(err, &refused):
		message, hint = refused.Message, refused.Hint
	default:
		message = err.Error()
	}
	if hint != "" {
		hint = strings.ToUpper(hint[:1]) + hint[1:]
	}
	return message, hint
}

// report writes err to the error stream: a line, and a second one with the hint
// if there is one, or both as one line of JSON.
func report(s Streams, err error, asJSON bool) {
	message, hint := explain(err)
	to := s.Err
	if _, file := raw(to).(*os.File); file { // whose reader may read nothing
		to = &patientWriter{w: to}
	}
	if asJSON {
		encoder := json.NewEncoder(to)
		encoder.SetEscapeHTML(false)
		// An error of the error stream can't be reported.
		_ = encoder.Encode(control.Error{Message: message, Code: control.CodeOf(err), Hint: hint})
		return
	}
	name := "devtool:"
	if colored(s, s.Err) {
		name = "\x1b[31m" + name + "\x1b[0m"
	}
	fmt.Fprintln(to, name, printable.Line(message))
	if hint != "" {
		fmt.Fprintln(to, " ", printable.Line(hint))
	}
}

// colored reports whether stream gets colors. FORCE_COLOR and NO_COLOR decide, or else whether it
// is a terminal.
func colored(s Streams, stream any) bool {
	if s.Env("NO_COLOR") != "" {
		return false
	}
	if force := s.Env("FORCE_COLOR"); force != "" {
		return force != "0"
	}
	return s.IsTerminal(stream) && s.Env("TERM") != "dumb"
}

// path returns the absolute form of a path on the command line.
func (s Streams) path(given string) string {
	if filepath.IsAbs(given) {
		return filepath.Clean(given)
	}
	return filepath.Join(s.Dir, given)
}

// in returns s with dir as the folder in which the command runs. If there is no such folder, hint
// says what to do.
func (s Streams) in(dir, hint string) (Streams, error) {
	if dir == "" {
		return s, nil
	}
	if fault := s.folderFault(dir); fault != "" {
		return s, misuse(hint, "%s", fault)
	}
	s.Dir = s.path(dir)
	return s, nil
}

// folderFault says why dir is no folder, or returns nothing if it is one.
func (s Streams) folderFault(dir string) string {
	switch info, err := os.Stat(s.path(dir)); {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no folder " + dir
	case err != nil || !info.IsDir():
		return dir + " is not a folder"
	}
	return ""
}
