package plugin

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"devtool.internal/internal/safefile"
)

// The user's environment may be set up for other builds: for a browser, a small board, or with
// flags in GOFLAGS. The program must run here, under this emulator. So what decides where it runs
// and which file go writes is set here, and everything else stays as the user has it.

// crossTools are variables that name a C toolchain. If the environment asks for another system, it
// is the toolchain of that system.
var crossTools = []string{
	"CC", "CXX", "FC", "AR", "PKG_CONFIG",
	"CGO_CFLAGS", "CGO_CPPFLAGS", "CGO_CXXFLAGS", "CGO_FFLAGS", "CGO_LDFLAGS",
}

// seldomGC makes go and its compilers collect garbage less often. A warm build of one of our
// programs then takes a tenth less time, a cold one an eighth, for a quarter more memory.
const seldomGC = "GOGC=400"

// environ returns the environment of the go command: the user's, but for the system that this
// process runs on. How often go collects garbage is the user's choice, too, if there is one.
func (b *Builder) environ(more ...string) []string {
	env := append(os.Environ(), b.Env...)
	if foreign(env) {
		env = slices.DeleteFunc(env, func(v string) bool {
			name, _, _ := strings.Cut(v, "=")
			return slices.Contains(crossTools, name)
		})
	}
	if lookup(env, "GOGC") == "" {
		env = append(env, seldomGC)
	}
	env = append(env, "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	return append(env, more...)
}

// foreign reports whether env asks for programs of another system.
func foreign(env []string) bool {
	system, processor := lookup(env, "GOOS"), lookup(env, "GOARCH")
	return system != "" && system != runtime.GOOS || processor != "" && processor != runtime.GOARCH
}

// lookup returns the value of a variable in env, or "".
func lookup(env []string, name string) string {
	for _, v := range slices.Backward(env) {
		if value, there := strings.CutPrefix(v, name+"="); there {
			return value
		}
	}
	return ""
}

// goFlags returns the user's flags for all go commands: those of GOFLAGS, or else of the file that
// `go env -w` writes. The go command says what is wrong with them.
func goFlags(env []string) []goFlag {
	value := lookup(env, "GOFLAGS")
	if value == "" {
		value = writtenFlags(env)
	}
	var flags []goFlag
	for _, word := range splitQuoted(value) {
		name, value, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(word, "-"), "-"), "=")
		flags = append(flags, goFlag{name, value})
	}
	return flags
}

// A goFlag is a flag with its value, which is empty for a flag that stands alone.
type goFlag struct{ name, value string }

// writtenFlags returns the GOFLAGS that `go env -w` has set, or "".
func writtenFlags(env []string) string {
	path := lookup(env, "GOENV")
	if path == "off" {
		return ""
	}
	if path == "" {
		folder, err := os.UserConfigDir()
		if err != nil {
			return ""
		}
		path = filepath.Join(folder, "go", "env")
	}
	content, err := safefile.ReadSource(path, 1<<20)
	if err != nil {
		return ""
	}
	return lookup(strings.Split(strings.ReplaceAll(string(content), "\r\n", "\n"), "\n"), "GOFLAGS")
}

// splitQuoted splits text at white space as the go command does: a word may be quoted as a whole,
// and a quote inside a word is part of it. It leaves out a word whose quote does not end.
func splitQuoted(text string) []string {
	const space = " \t\r\n"
	var words []string
	for text = strings.TrimLeft(text, space); text != ""; text = strings.TrimLeft(text, space) {
		end, skip := strings.IndexAny(text, space), 0
		if quote := text[0]; quote == '"' || quote == '\'' {
			text = text[1:]
			if end = strings.IndexByte(text, quote); end < 0 {
				return words
			}
			skip = 1
		}
		if end < 0 {
			end = len(text)
		}
		words, text = append(words, text[:end]), text[end+skip:]
	}
	return words
}

// buildFlags returns the flags of `go build` for a user with these flags. Flags on the command line
// replace those of GOFLAGS, so the user's flags for the linker are repeated here.
func (b *Builder) buildFlags(output string, users []goFlag) []string {
	flags := []string{"-v", "-buildvcs=false", "-o", output}
	for _, f := range users {
		switch f.name {
		case "n", "json": // go would build nothing, or print other messages
			flags = append(flags, "-"+f.name+"=false")
		case "buildmode":
			if !slices.Contains([]string{"exe", "pie", "default"}, f.value) { // no program
				flags = append(flags, "-buildmode=default")
			}
		}
	}
	elsewhere := foreign(append(os.Environ(), b.Env...))
	if b.Debug && !elsewhere {
		return flags
	}
	adapted := func(linker string) string {
		if elsewhere {
			linker = withoutTarget(linker)
		}
		if !b.Debug {
			linker = withStripped(linker)
		}
		return linker
	}
	if !b.Debug {
		flags = append(flags, "-ldflags="+stripped)
	}
	for _, f := range users {
		if f.name == "ldflags" {
			flags = append(flags, "-ldflags="+adapted(f.value))
		}
	}
	return flags
}

// targetFlags are flags of the linker that only fit the system they were written for: the form of
// the program, as in -H=windowsgui, and a C linker with its flags. Each has a value.
var targetFlags = []string{"H", "extld", "extldflags", "extar"}

// withoutTarget removes targetFlags from flags for the linker, which may follow a pattern of
// packages and "=".
func withoutTarget(flags string) string {
	pattern, words := "", flags
	if !strings.HasPrefix(strings.TrimSpace(flags), "-") {
		if before, after, found := strings.Cut(flags, "="); found {
			pattern, words = before+"=", after
		}
	}
	var kept []string
	dropped, isValue := false, false
	for _, word := range splitQuoted(words) {
		name, _, hasValue := strings.Cut(strings.TrimLeft(word, "-"), "=")
		switch {
		case isValue:
			isValue = false
		case strings.HasPrefix(word, "-") && slices.Contains(targetFlags, name):
			dropped, isValue = true, !hasValue
		case strings.ContainsAny(word, " \t\r\n") && strings.Contains(word, "'"):
			kept = append(kept, `"`+word+`"`)
		case strings.ContainsAny(word, " \t\r\n"):
			kept = append(kept, "'"+word+"'")
		default:
			kept = append(kept, word)
		}
	}
	if !dropped {
		return flags
	}
	return pattern + strings.Join(kept, " ")
}

// stripped makes the linker leave out what only debuggers need.
const stripped = "-s -w"

// withStripped adds stripped to flags for the linker, which may follow a pattern of packages and
// "=". A user who decides about these two gets what they say.
func withStripped(flags string) string {
	words := flags
	if !strings.HasPrefix(strings.TrimSpace(flags), "-") {
		_, words, _ = strings.Cut(flags, "=")
	}
	for _, word := range splitQuoted(words) {
		name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
		if strings.HasPrefix(word, "-") && (name == "s" || name == "w") {
			return flags
		}
	}
	if strings.TrimSpace(flags) == "" {
		return stripped
	}
	return flags + " " + stripped
}
