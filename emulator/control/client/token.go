package client

import (
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

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
//   - a file in a folder of the user (see tokenFolder), named after the port, for commands that get
//     a URL. Its second line is the path of the announcement's lock, so that the next emulator
//     removes the files of those that were killed.
//
// It is in no log, answer, message or argument of a process.

// TokenFile is the file with the token of the emulator that started last, below the project.
const TokenFile = ".devtool/run/token"

// EnvToken is the environment variable that has the token for the emulator at DEVTOOL_URL.
const EnvToken = "DEVTOOL_TOKEN"

// tokenBytes is the length of a token. A token is text: two hexadecimal digits a byte.
const tokenBytes = 32

const bearer = "Bearer"

// portSuffix ends the name of a file in the user's folder with tokens.
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
// nothing. environ is os.Getenv. The error is a *TokenFileError: somebody else could have written
// the file, or it has no place.
func TokenFor(address string, environ func(string) string) (string, error) {
	if set := environ(EnvToken); set != "" && sameServer(address, cmp.Or(environ("DEVTOOL_URL"), address)) {
		return set, nil
	}
	name, err := tokenName(address)
	if err != nil {
		return "", nil // the token of no other machine is known here
	}
	folder, err := tokenFolder(false)
	if err == nil {
		defer folder.Close()
		var content []byte
		if content, err = safefile.ReadIn(folder, name, maxToken); err == nil {
			token, _ := parseToken(content)
			return token, nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return "", &TokenFileError{address, err}
}

// maxToken bounds a file with a token, in bytes. It also has a path.
const maxToken = 16 << 10

// parseToken returns the token in the content of a file, or nothing, and the path of the lock in
// the next line.
func parseToken(content []byte) (token, lock string) {
	token, lock, _ = strings.Cut(string(content), "\n")
	if !isToken(token) {
		return "", ""
	}
	return token, strings.TrimSuffix(lock, "\n")
}

// tokenIn is parseToken for a file that may be missing.
func tokenIn(folder *os.Root, name string) (token, lock string) {
	content, _ := safefile.ReadIn(folder, name, maxToken)
	return parseToken(content)
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

// tokenName returns the name of the file with the token of the emulator at address.
func tokenName(address string) (string, error) {
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
	return port + portSuffix, nil
}

// tokenFolder opens the user's folder with the tokens of all emulators, by their ports. With
// create set, it makes the folder if it is missing.
//
// A login session has a folder for such files that ends with it. Where there is none, or the one of
// another user, as below sudo, the user's cache takes its place. Each is used only if nobody else
// can change what is in it.
func tokenFolder(create bool) (*os.Root, error) {
	if session := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(session) && safefile.IsPrivate(session) {
		return safefile.OpenPrivate(session, create, "devtool")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	return safefile.OpenPrivate(cache, create, "devtool", "run")
}

// A TokenFileError says that the token of an emulator can't be stored for commands outside of its
// project, or not be read there.
type TokenFileError struct {
	Address string
	Err     error
}

func (e *TokenFileError) Error() string {
	return "cannot use the file with the token of " + e.Address + ": " + e.Err.Error()
}

// TokenFileAdvice says what to do about a TokenFileError.
const TokenFileAdvice = "set XDG_RUNTIME_DIR or HOME to a folder that only you can change, or give commands the " +
	"token by " + EnvToken

func (e *TokenFileError) Unwrap() error { return e.Err }

func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// publishToken writes the files with the token of a, whose lock is held. release removes the ones
// that no other emulator has replaced. If the error is a *TokenFileError, only commands outside of
// the project do not find the token, and release is not nil.
func publishToken(project, lock string, a Announcement) (release func() error, err error) {
	if a.Token == "" {
		return func() error { return nil }, nil
	}
	file := filepath.Join(project, filepath.FromSlash(TokenFile))
	if err := safefile.Replace(file, file+"-"+rand.Text()[:10]+".tmp", []byte(a.Token+"\n")); err != nil {
		return nil, fmt.Errorf("write the token: %w", err)
	}
	forget, err := publishByPort(a, lock)
	return func() error {
		content, _ := safefile.Read(file, maxToken)
		if token, _ := parseToken(content); token != a.Token {
			return forget()
		}
		return errors.Join(remove(file), forget())
	}, err
}

// AnnounceByPort is Announce for a project whose folder can't be written: commands that get the
// emulator's URL find its token.
func AnnounceByPort(a Announcement) (release func() error, err error) { return publishByPort(a, "") }

// publishByPort writes the file with the token of a that is named after its port. lock is held
// while the emulator runs, or is empty. release removes the file, unless another emulator has
// replaced it. It is never nil. The error is a *TokenFileError.
func publishByPort(a Announcement, lock string) (release func() error, err error) {
	address := cmp.Or(a.Control, a.URL)
	nothing := func() error { return nil }
	name, err := tokenName(address)
	if err != nil {
		return nothing, nil // no command has a URL that leads to it
	}
	folder, err := tokenFolder(true)
	if err != nil {
		return nothing, &TokenFileError{address, err}
	}
	removeStale(folder)
	temporary := ".token-" + rand.Text()[:10] + ".tmp"
	if err := safefile.ReplaceIn(folder, name, temporary, []byte(a.Token+"\n"+lock+"\n")); err != nil {
		return nothing, errors.Join(&TokenFileError{address, err}, folder.Close())
	}
	return sync.OnceValue(func() error {
		defer folder.Close()
		if token, _ := tokenIn(folder, name); token != a.Token {
			return nil
		}
		if err := folder.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}), nil
}

// removeStale removes the files of emulators that were killed. What can't be read or removed stays.
func removeStale(folder *os.Root) {
	entries, err := fs.ReadDir(folder.FS(), ".")
	if err != nil {
		return
	}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), portSuffix) {
			continue
		}
		if _, lock := tokenIn(folder, entry.Name()); lock != "" {
			if alive, err := held(lock); err == nil && !alive {
				folder.Remove(entry.Name()) //nolint:errcheck // the next emulator tries again
			}
		}
	}
}
