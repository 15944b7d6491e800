package cli

import (
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"devtool.internal/emulator/control"
	"devtool.internal/internal/printable"
)

// cellGap is the number of blanks between the columns of a table.
const cellGap = 2

// narrowest is the least width of a column, in characters, even on a narrow terminal.
const narrowest = 8

// sqlTable writes rows for people. It shortens columns to fit lines of width characters, but to no
// less than narrowest. Columns of numbers are aligned on the right.
func sqlTable(w io.Writer, result control.SQLResult, width int) {
	columns := len(result.Columns)
	rows := [][]string{make([]string, columns)}
	widths := make([]int, columns)
	for i, name := range result.Columns {
		rows[0][i] = printable.Line(name)
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

// holdsNumbers reports whether a column has numbers, and nothing else except NULL.
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

// widestColumn returns how wide a column may be so that all columns together fit in room.
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

// sqlCell formats a value for a table. It cuts long text and blobs off, but leaves at least most
// characters.
func sqlCell(v control.SQLValue, most int) string {
	switch x := v.V.(type) {
	case nil:
		return "NULL"
	case string:
		if len(x) > utf8.UTFMax*most+1 {
			x = string([]rune(x[:utf8.UTFMax*most])[:most]) + "…"
		}
		return printable.Line(x)
	case []byte:
		if len(x) > most {
			return "x'" + hex.EncodeToString(x[:most]) + "…"
		}
	}
	return sqlText(v)
}

// sqlText formats a whole value that is not NULL.
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

// lineCell returns a cell of a line of cells separated by tabs. PostgreSQL uses the same format to
// copy a table as text: it writes \xHH for a byte of a character that a terminal might obey.
func lineCell(cell string) string {
	cell = lineEscaper.Replace(cell)
	if printable.Text(cell) == cell {
		return cell
	}
	var b strings.Builder
	for len(cell) > 0 {
		_, size := utf8.DecodeRuneInString(cell)
		if char := cell[:size]; printable.Text(char) == char {
			b.WriteString(char)
		} else {
			for _, c := range []byte(char) {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		}
		cell = cell[size:]
	}
	return b.String()
}

// lineEscaper escapes the characters that would break such a line.
var lineEscaper = strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)

// sqlLines writes rows for programs: a line of column names, and then a line for each row.
func sqlLines(w io.Writer, result control.SQLResult) {
	var line []string
	for _, name := range result.Columns {
		line = append(line, lineCell(name))
	}
	fmt.Fprintln(w, strings.Join(line, "\t"))
	for _, row := range result.Rows {
		line = line[:0]
		for _, value := range row {
			cell := `\N`
			if value.V != nil {
				cell = lineCell(sqlText(value))
			}
			line = append(line, cell)
		}
		fmt.Fprintln(w, strings.Join(line, "\t"))
	}
}
