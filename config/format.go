package config

import (
	"fmt"
	"path/filepath"
	"strings"
)

// format is the syntax of a file.
type format int

const (
	formatJSONC format = iota // JSON with comments and trailing commas
	formatTOML
)

// formatOf returns the format for the extension of path. As in wrangler, .json and .jsonc are the
// same.
func formatOf(path string) (format, error) {
	switch ext := filepath.Ext(path); ext {
	case ".json", ".jsonc":
		return formatJSONC, nil
	case ".toml":
		return formatTOML, nil
	default:
		return 0, fmt.Errorf("read %s: unknown format %q: name a file that ends in .jsonc, .json or .toml", path, ext)
	}
}

// snippet returns a hint that shows what to paste to set a top-level key.
func (f format) snippet(key, value string) string {
	if f == formatTOML {
		// A line below a [header] would belong to that table.
		return fmt.Sprintf("add above the first [table]:\n  %s = %s", key, jsonString(value))
	}
	return fmt.Sprintf("add at the top level:\n  %s: %s,", jsonString(key), jsonString(value))
}

// migrationSnippet returns a hint that shows a migration step to paste, which creates classes. path
// is that of the migrations the step belongs to. first says that there are none yet.
func (f format) migrationSnippet(path, tag string, classes []string, first bool) string {
	quoted := make([]string, len(classes))
	for i, c := range classes {
		quoted[i] = jsonString(c)
	}
	list := "[" + strings.Join(quoted, ", ") + "]"
	if f == formatTOML {
		return fmt.Sprintf("add at the end of the file:\n  [[%s]]\n  tag = %s\n  new_sqlite_classes = %s",
			path, jsonString(tag), list)
	}
	step := fmt.Sprintf(`{ "tag": %s, "new_sqlite_classes": %s }`, jsonString(tag), list)
	if first {
		return fmt.Sprintf("add at the top level:\n  \"migrations\": [\n    %s\n  ],", step)
	}
	return fmt.Sprintf("add at the end of %s:\n  %s", path, step)
}

// exportSnippet returns a hint that shows what to paste to declare classes in the exports at path.
func (f format) exportSnippet(path string, classes []string) string {
	var hint strings.Builder
	if f == formatTOML {
		hint.WriteString("add at the end of the file:")
		for _, class := range classes {
			fmt.Fprintf(&hint, "\n  [%s]\n  type = \"durable-object\"\n  storage = \"sqlite\"", joinPath(path, class))
		}
		return hint.String()
	}
	fmt.Fprintf(&hint, "add to %s:", path)
	for _, class := range classes {
		fmt.Fprintf(&hint, "\n  %s: { \"type\": \"durable-object\", \"storage\": \"sqlite\" },", jsonString(class))
	}
	return hint.String()
}
