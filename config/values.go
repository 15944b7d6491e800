package config

import (
	"errors"
	"fmt"
	"math"
	"path"
	"regexp"
	"strings"
	"time"
	"unicode"

	"devtool.internal/clock/cron"
)

func notEmpty(n *node) *complaint {
	if n.text == "" {
		return &complaint{id: "empty", message: "must not be empty"}
	}
	return nil
}

// choices joins the strings as a sentence offers them: "a", "b" or "c".
func choices(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = quote(v)
	}
	last := len(quoted) - 1
	if last == 0 {
		return quoted[0]
	}
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}

var workerNamePattern = regexp.MustCompile(`^[a-z0-9_][a-z0-9_-]*$`)

// validWorkerName accepts the names that wrangler accepts. As there, an empty name counts as
// absent.
func validWorkerName(n *node) *complaint {
	if n.text == "" || workerNamePattern.MatchString(n.text) {
		return nil
	}
	hint := ""
	if like := nameLike(n.text); like != "" {
		hint = fmt.Sprintf("for example %q", like)
	}
	return &complaint{id: "invalid-name", hint: hint,
		message: `may only have lower-case letters, digits, "-" and "_", and must not begin with "-": not ` +
			quote(n.text)}
}

// nameLike returns the valid worker name that is most like s, or "".
func nameLike(s string) string {
	name := strings.Map(func(r rune) rune {
		r = unicode.ToLower(r)
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_') {
			return r
		}
		return '-'
	}, s)
	return strings.Trim(name, "-")
}

var classNamePattern = regexp.MustCompile(`^[\p{L}_$][\p{L}\p{N}_$]*$`)

// validClassName accepts names that JavaScript could export. A class name becomes part of a
// folder's name, so it must not be able to leave that folder.
func validClassName(n *node) *complaint {
	if classNamePattern.MatchString(n.text) {
		return nil
	}
	return &complaint{id: "invalid-class-name",
		message: "must be a name of letters, digits and _ that does not begin with a digit: not " + quote(n.text)}
}

// foreignMains maps the extensions of entry files for wrangler to their languages.
var foreignMains = map[string]string{
	".js": "JavaScript", ".mjs": "JavaScript", ".cjs": "JavaScript", ".jsx": "JavaScript",
	".ts": "TypeScript", ".mts": "TypeScript", ".cts": "TypeScript", ".tsx": "TypeScript",
	".py": "Python", ".rs": "Rust", ".wasm": "WebAssembly",
}

func validMain(n *node) *complaint {
	language := foreignMains[strings.ToLower(path.Ext(n.text))]
	if language == "" {
		return nil
	}
	return &complaint{id: "foreign-main",
		message: fmt.Sprintf("names a %s file, but devtool runs handlers written in Go", language),
		hint:    `name the folder of the Go program, for example "."`}
}

func validDate(n *node) *complaint {
	if _, err := time.Parse(time.DateOnly, n.text); err == nil {
		return nil
	}
	if plain := strings.NewReplacer("–", "-", "—", "-", "−", "-").Replace(n.text); plain != n.text {
		return &complaint{id: "invalid-date", message: "has a long dash instead of a hyphen: " + quote(n.text),
			hint: fmt.Sprintf("write %q", shorten(plain))}
	}
	return &complaint{id: "invalid-date", message: "must be a real date written YYYY-MM-DD, not " + quote(n.text)}
}

func validCron(n *node) *complaint {
	_, err := cron.Parse(n.text)
	var wrong *cron.Error
	if !errors.As(err, &wrong) {
		return nil
	}
	message := "is not a cron expression: "
	if wrong.Field != "" {
		message += wrong.Field + ": "
	}
	return &complaint{id: "invalid-cron", message: message + wrong.Problem, hint: "allowed: " + wrong.Allowed,
		part: &span{wrong.Offset, wrong.Offset + wrong.Length}}
}

// integerIn returns a check for whole numbers from low to high.
func integerIn(id string, low, high int64) func(*node) *complaint {
	bounds := fmt.Sprintf("from %d to %d", low, high)
	if high == math.MaxInt64 {
		bounds = fmt.Sprintf("from %d on", low)
	}
	return func(n *node) *complaint {
		if i, ok := n.integer(); ok && i >= low && i <= high {
			return nil
		}
		return &complaint{id: id, message: "must be a whole number " + bounds + ", not " + shorten(n.text)}
	}
}

// numberUpTo returns a check for numbers from 0 to high. noun says what the number is.
func numberUpTo(high float64, noun string) func(*node) *complaint {
	return func(n *node) *complaint {
		if f, ok := n.float(); ok && f >= 0 && f <= high {
			return nil
		}
		return &complaint{
			id:      "out-of-range",
			message: fmt.Sprintf("must be %s from 0 to %g, not %s", noun, high, shorten(n.text)),
		}
	}
}

func validPeriod(n *node) *complaint {
	if i, ok := n.integer(); ok && (i == 10 || i == 60) {
		return nil
	}
	return &complaint{id: "out-of-range", message: "must be 10 or 60, not " + shorten(n.text)}
}

func oneDestination(n *node) *complaint {
	if n.get("destination_address") == nil || n.get("allowed_destination_addresses") == nil {
		return nil
	}
	return exclusive("allowed_destination_addresses", "destination_address", "allowed_destination_addresses")
}

// exclusive returns the complaint about the given members, of which a value may have only one. It
// points at the member wrong.
func exclusive(wrong string, members ...string) *complaint {
	return &complaint{
		id: "exclusive-keys", member: wrong,
		message: "has " + enumerate(members) + ", which can't be combined",
	}
}

// validObservability requires at least one "enabled".
func validObservability(n *node) *complaint {
	for _, of := range []*node{n, n.get("logs"), n.get("traces"), n.get("issues")} {
		if of != nil && of.get("enabled") != nil {
			return nil
		}
	}
	return &complaint{id: "missing-field", message: `has no "enabled", nor do its "logs" or "traces"`}
}

// sqlForContainer rejects a container of a class without SQL, as the platform does.
func sqlForContainer(n *node) *complaint {
	if n.get("container") == nil || n.str("storage") != "legacy-kv" {
		return nil
	}
	return &complaint{id: "impossible-export", member: "container",
		message: `has a container, which only a class whose storage is "sqlite" can have`}
}
