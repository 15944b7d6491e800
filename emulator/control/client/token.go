package client

import (
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"devtool.internal/emulator/control"
	"devtool.internal/internal/safefile"
)

// The token of the control API. The emulator makes one for each run, and refuses every request
// without it. So only programs that can read this user's files use the API: not other users of the
// machine, and not a URL that somebody gives to a handler.
//
// The token is in files that only the user can read:
//
//   - the Announcement, for commands in the project;
//   - TokenFile of the project, for curl and other programs;
//   - a file in the user's folder for settings, named after the port, for commands that get a URL.
//     Its second line is the path of the announcement's lock, so that the next emulator removes the
//     files of those that were killed.
//
// It is in no log, answer, message or argument of a process.

// TokenFile is the file with the token of the emulator that started last, below the project.
const TokenFile = ".devtool/run/token"

// EnvToken is the environment variable that has the token for the emulator at DEVTOOL_URL.
const EnvToken = "DEVTOOL_TOKEN"

// tokenBytes is the length of a token. A token is text: two hexadecimal digits a byte.
const tokenBytes = 32

const bearer = "Bearer"

// portSuffix ends the name of a file in the user's folder for settings.
const portSuffix = ".token"

// NewToken returns a new random token.
func NewToken() string {
	token := make([]byte, tokenBytes)
	rand.Read(token) //nolint:errcheck // it never fails
	return hex.EncodeToString(token)
}

// isToken reports whether text has the form of a token.
func isToken(text string) bool {
	token, err := hex.DecodeString(text)
	return err == nil && len(token) == tokenBytes
}

// RequireToken passes a request on to next only if it has this token. No request has the empty one.
func RequireToken(token string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		known := subtle.ConstantTimeCompare([]byte(strings.TrimSpace(given)), []byte(token)) == 1
		if !known || token == "" || !strings.EqualFold(scheme, bearer) {
			w.Header().Set("WWW-Authenticate", bearer)
			refuse(w, missingToken())
			return
		}
		next.ServeHTTP(w, r)
	})
}

// missingToken returns the error for a request without the token. It names no path of this machine,
// because the caller may be anybody.
func missingToken() *control.Error {
	return &control.Error{
		Code:    control.CodeToken,
		Message: "the control API requires this emulator's token",
		Hint: "`devtool` commands send it, from the project's folder or with --url; other programs send " +
			"\"Authorization: Bearer TOKEN\" with the content of the project's " + TokenFile +
			", or of " + EnvToken + " below `devtool exec`",
	}
}

// authorize adds the token to a request.
func authorize(r *http.Request, token string) {
	if token != "" {
		r.Header.Set("Authorization", bearer+" "+token)
	}
}

// TokenFor returns the token of the emulator at address, as far as this user's files know it, or
// nothing. environ is os.Getenv.
func TokenFor(address string, environ func(string) string) string {
	if set := environ(EnvToken); set != "" && sameServer(address, cmp.Or(environ("DEVTOOL_URL"), address)) {
		return set
	}
	path, err := portFile(address)
	if err != nil {
		return ""
	}
	token, _ := readToken(path)
	return token
}

// maxTokenFile bounds a file with a token in bytes.
const maxTokenFile = 8 << 10

// readToken returns the token in a file, or nothing, and the path of the lock in the next line.
func readToken(path string) (token, lock string) {
	content, err := safefile.Read(path, maxTokenFile)
	token, lock, _ = strings.Cut(string(content), "\n")
	if err != nil || !isToken(token) {
		return "", ""
	}
	return token, strings.TrimSuffix(lock, "\n")
}

// sameServer reports whether two URLs, with or without a scheme, name the same host and port.
func sameServer(a, b string) bool {
	bare := func(address string) string {
		_, rest, ok := strings.Cut(address, "://")
		if !ok {
			rest = address
		}
		rest, _, _ = strings.Cut(rest, "/")
		return strings.ToLower(rest)
	}
	return bare(a) == bare(b)
}

// portFile returns the file with the token of the emulator at address.
func portFile(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	if !isLocalName(bracketed(u.Hostname())) {
		return "", errors.New(u.Hostname() + " is not this machine")
	}
	port := portOf(u.Host, u.Scheme)
	if !isPort(port) {
		return "", errors.New(port + " is not a port")
	}
	settings, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(settings, "devtool", "run", port+portSuffix), nil
}

func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// publishToken writes the files with the token of a, whose lock is held. release removes the ones
// that no other emulator has replaced.
func publishToken(project, lock string, a Announcement) (release func() error, err error) {
	if a.Token == "" {
		return func() error { return nil }, nil
	}
	file := filepath.Join(project, filepath.FromSlash(TokenFile))
	if err := writePrivate(file, a.Token+"\n"); err != nil {
		return nil, fmt.Errorf("write the token: %w", err)
	}
	return publishByPort(a, lock, file), nil
}

// AnnounceByPort is Announce for a project whose folder can't be written: commands that get the
// emulator's URL find its token.
func AnnounceByPort(a Announcement) (release func() error) { return publishByPort(a, "") }

// publishByPort writes the file with the token of a that is named after its port. lock is held
// while the emulator runs, or is empty. release removes that file and the other files with the
// token, but the ones that another emulator has replaced.
func publishByPort(a Announcement, lock string, files ...string) (release func() error) {
	// The folder for settings may be missing or read-only. Then commands need the project's files.
	if file, err := portFile(cmp.Or(a.Control, a.URL)); err == nil && os.MkdirAll(filepath.Dir(file), 0o700) == nil {
		removeStale(filepath.Dir(file))
		if writePrivate(file, a.Token+"\n"+lock+"\n") == nil {
			files = append(files, file)
		}
	}
	return func() error {
		var errs []error
		for _, file := range files {
			if token, _ := readToken(file); token == a.Token {
				errs = append(errs, remove(file))
			}
		}
		return errors.Join(errs...)
	}
}

// removeStale removes the files of emulators that were killed. What can't be read or removed stays.
func removeStale(folder string) {
	files, err := filepath.Glob(filepath.Join(folder, "*"+portSuffix))
	if err != nil {
		return
	}
	for _, file := range files {
		if _, lock := readToken(file); lock != "" {
			if alive, err := held(lock); err == nil && !alive {
				os.Remove(file) //nolint:errcheck // the next emulator tries again
			}
		}
	}
}

// writePrivate writes a file that only this user can read, in one atomic step. If path is a
// symbolic link, the file replaces the link.
func writePrivate(path, content string) error {
	// CreateTemp makes a new file, with 0600.
	file, err := os.CreateTemp(filepath.Dir(path), ".token-*.tmp")
	if err != nil {
		return err
	}
	_, err = file.WriteString(content)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, remove(file.Name()))
	}
	return nil
}
