package cli

import (
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"devtool.internal/emulator/control"
)

// cellGap is how far the columns of a table are apart.
const cellGap = 2

// narrowest is how few characters a column is shortened to, however narrow the terminal.
const narrowest = 8

// sqlTable writes rows for people: in columns that fit on lines of width characters, if that
// can be, with numbers on the right of theirs.
func sqlTable(w io.Writer, result control.SQLResult, width int) {
	columns := len(result.Columns)
	rows := [][]string{make([]string, columns)}
	widths := make([]int, columns)
	for i, name := range result.Columns {
		rows[0][i] = oneLine(name)
		widths[i] = utf8.RuneCountInString(rows[0][i])
	}
	right := make([]bool, columns)
	for i := range right {
		right[i] = holdsNumbers(result.Rows, i)
	}
	for _, row := range result.Rows {
		cells := make([]string, columns)
		for i := range min(columns, len(row)) {
			cells[i] = sqlCell(row[i], width)
			widths[i] = max(widths[i], utf8.RuneCountInString(cells[i]))
		}
		rows = append(rows, cells)
	}
	widest := widestColumn(widths, width-cellGap*(columns-1))
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			if i > 0 {
				line.WriteString(strings.Repeat(" ", cellGap))
			}
			cell = abridge(cell, widest)
			padding := strings.Repeat(" ", min(widths[i], widest)-utf8.RuneCountInString(cell))
			if right[i] {
				line.WriteString(padding + cell)
			} else {
				line.WriteString(cell + padding)
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
	if len(result.Rows) == 0 {
		fmt.Fprintln(w, "(no rows)")
	}
}

// holdsNumbers reports whether all values of a column are numbers, but for NULL, and some are.
func holdsNumbers(rows [][]control.SQLValue, column int) bool {
	some := false
	for _, row := range rows {
		if column >= len(row) {
			continue
		}
		switch row[column].V.(type) {
		case nil:
		case int64, float64:
			some = true
		default:
			return false
		}
	}
	return some
}

// widestColumn is how wide columns may be so that all of them take no more than room.
func widestColumn(widths []int, room int) int {
	sorted := slices.Sorted(slices.Values(widths))
	for i, width := range sorted {
		left := len(sorted) - i
		if width*left > room {
			return max(narrowest, room/left)
		}
		room -= width
	}
	return max(narrowest, slices.Max(append(sorted, 0)))
}

// sqlCell is a value in a table, of which no more than about most characters are of use.
func sqlCell(v control.SQLValue, most int) string {
	switch x := v.V.(type) {
	case nil:
		return "NULL"
	case string:
		if len(x) > utf8.UTFMax*most+1 {
			x = string([]rune(x[:utf8.UTFMax*most])[:most]) + "…"
		}
		return oneLine(x)
	case []byte:
		if len(x) > most {
			return "x'" + hex.EncodeToString(x[:most]) + "…"
		}
	}
	return sqlText(v)
}

// sqlText is a value that is not NULL, whole.
func sqlText(v control.SQLValue) string {
	switch x := v.V.(type) {
	case float64:
		return control.FormatReal(x)
	case []byte:
		return "x'" + hex.EncodeToString(x) + "'"
	default:
		return fmt.Sprint(x)
	}
}

// unbreaking escapes what has a meaning in lines separated by tabs. (It is how PostgreSQL
// copies a table as text.)
var unbreaking = strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)

// sqlLines writes rows for programs: a line each, with the names of the columns before them.
func sqlLines(w io.Writer, result control.SQLResult) {
	var line []string
	for _, name := range result.Columns {
		line = append(line, unbreaking.Replace(name))
	}
	fmt.Fprintln(w, strings.Join(line, "\t"))
	for _, row := range result.Rows {
		line = line[:0]
		for _, value := range row {
			cell := `\N`
			if value.V != nil {
				cell = unbreaking.Replace(sqlText(value))
			}
			line = append(line, cell)
		}
		fmt.Fprintln(w, strings.Join(line, "\t"))
	}
}
