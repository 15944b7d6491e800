package config

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
	"time"
	"unicode"

	"devtool/clock/cron"
)

// shape says what a value must look like. Shapes are data; check.go reads them.
type shape struct {
	noun   string // what messages call it, after "must be"
	kinds  kind   // the kinds allowed
	elem   *shape // of each element of an array and each member of an object without fields; nil: anything
	fields []field
	valid  func(*node) *complaint // the last word on a value of the right kind; nil: no objection
}

// field is a member that an object may have. An object whose shape has no fields may have any.
type field struct {
	name     string
	shape    *shape
	required bool
}

// complaint is what is wrong with one value. The message goes on from the value's path: `main` + ` must be ...`.
type complaint struct {
	id, message, hint string
	part              *span // of the value's text, if only a part of it is wrong
}

var (
	anything     = &shape{noun: "a value", kinds: kindObject | kindArray | kindString | kindNumber | kindBool | kindNull | kindDateTime}
	text         = &shape{noun: "a string", kinds: kindString}
	flag         = &shape{noun: "true or false", kinds: kindBool}
	object       = &shape{noun: "an object", kinds: kindObject}
	array        = &shape{noun: "an array", kinds: kindArray}
	textMap      = &shape{noun: "an object of strings", kinds: kindObject, elem: text}
	textList     = &shape{noun: "an array of strings", kinds: kindArray, elem: text}
	textOrTexts  = &shape{noun: "a string or an array of strings", kinds: kindString | kindArray, elem: text}
	textOrObject = &shape{noun: "a string or an object", kinds: kindString | kindObject}

	nonEmptyText   = &shape{noun: "a string", kinds: kindString, valid: notEmpty}
	workerName     = &shape{noun: "a string", kinds: kindString, valid: validWorkerName}
	className      = &shape{noun: "a string", kinds: kindString, valid: validClassName}
	mainPath       = &shape{noun: "a string", kinds: kindString, valid: validMain}
	date           = &shape{noun: "a string", kinds: kindString, valid: validDate}
	cronExpression = &shape{noun: "a string", kinds: kindString, valid: validCron}
	port           = &shape{noun: "a whole number from 0 to 65535", kinds: kindNumber, valid: validPort}

	classNames = arrayOf("strings", className)
)

func arrayOf(nouns string, elem *shape) *shape {
	return &shape{noun: "an array of " + nouns, kinds: kindArray, elem: elem}
}

func objectWith(fields ...field) *shape {
	return &shape{noun: "an object", kinds: kindObject, fields: fields}
}

var (
	environments = &shape{noun: "an object of environments", kinds: kindObject, elem: object}

	devSettings = objectWith(
		field{name: "ip", shape: text},
		field{name: "port", shape: port},
		field{name: "inspector_port", shape: port},
		field{name: "inspector_ip", shape: text},
		field{name: "local_protocol", shape: text},
		field{name: "upstream_protocol", shape: text},
		field{name: "host", shape: text},
		field{name: "enable_containers", shape: flag},
		field{name: "container_engine", shape: textOrObject},
		field{name: "generate_types", shape: flag},
	)

	triggers = objectWith(
		field{name: "crons", shape: arrayOf("strings", cronExpression)},
		field{name: "events", shape: array},
	)

	buildSettings = objectWith(
		field{name: "command", shape: text},
		field{name: "cwd", shape: text},
		field{name: "watch_dir", shape: textOrTexts},
	)

	durableObjects = objectWith(
		field{name: "bindings", shape: arrayOf("objects", objectWith(
			field{name: "name", shape: nonEmptyText, required: true},
			field{name: "class_name", shape: className, required: true},
			field{name: "script_name", shape: nonEmptyText},
			field{name: "environment", shape: nonEmptyText},
		))},
		field{name: "code_update_strategy", shape: object},
	)

	migrations = arrayOf("objects", objectWith(
		field{name: "tag", shape: nonEmptyText, required: true},
		field{name: "new_classes", shape: classNames},
		field{name: "new_sqlite_classes", shape: classNames},
		field{name: "renamed_classes", shape: arrayOf("objects", objectWith(
			field{name: "from", shape: className, required: true},
			field{name: "to", shape: className, required: true},
		))},
		field{name: "deleted_classes", shape: classNames},
		field{name: "transferred_classes", shape: arrayOf("objects", objectWith(
			field{name: "from", shape: className, required: true},
			field{name: "from_script", shape: nonEmptyText, required: true},
			field{name: "to", shape: className, required: true},
		))},
	))
)

func notEmpty(n *node) *complaint {
	if n.text == "" {
		return &complaint{id: "empty", message: "must not be empty"}
	}
	return nil
}

var workerNamePattern = regexp.MustCompile(`^[a-z0-9_][a-z0-9_-]*$`)

// validWorkerName takes the names that wrangler takes. An empty one counts as absent, there as here.
func validWorkerName(n *node) *complaint {
	if n.text == "" || workerNamePattern.MatchString(n.text) {
		return nil
	}
	hint := ""
	if like := nameLike(n.text); like != "" {
		hint = fmt.Sprintf("for example %q", like)
	}
	return &complaint{id: "invalid-name", hint: hint,
		message: `may only have lower-case letters, digits, "-" and "_", and must not begin with "-": not ` + quote(n.text)}
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

// validClassName takes what JavaScript could export. A class name becomes part of a folder's name, so it must not be
// able to leave that folder.
func validClassName(n *node) *complaint {
	if classNamePattern.MatchString(n.text) {
		return nil
	}
	return &complaint{id: "invalid-class-name",
		message: "must be a name of letters, digits and _ that does not begin with a digit: not " + quote(n.text)}
}

// foreignMains are the languages of the entry files that people bring from wrangler.
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
		message: fmt.Sprintf("names a %s file, but handlers are written in Go here", language),
		hint:    `name the folder of the Go program, for example "."`}
}

func validDate(n *node) *complaint {
	if _, err := time.Parse(time.DateOnly, n.text); err == nil {
		return nil
	}
	if plain := strings.NewReplacer("–", "-", "—", "-", "−", "-").Replace(n.text); plain != n.text {
		return &complaint{id: "invalid-date", message: "has a long dash where a hyphen should be: " + quote(n.text),
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

func validPort(n *node) *complaint {
	if i, ok := n.integer(); ok && i >= 0 && i <= 65535 {
		return nil
	}
	return &complaint{id: "invalid-port", message: "must be a whole number from 0 to 65535, not " + shorten(n.text)}
}
