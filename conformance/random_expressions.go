package conformance

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// expressions returns statements that evaluate random expressions, of all types of values, huge and
// malformed ones among them. They do not contain the time, chance, and functions that the C library
// computes, whose last digit differs.
func expressions(r *rand.Rand) []Op {
	operations := []Op{sql("CREATE TABLE t (a INTEGER, b REAL, c TEXT, d); " +
		"INSERT INTO t VALUES (1, 2.5, 'abc', x'616263'), (NULL, -1, '12', zeroblob(3)); CREATE INDEX i ON t (c)")}
	for range sequenceLength - 1 {
		query := "SELECT " + expression(r, 3)
		from := pick(r, "", " FROM t", " FROM (SELECT 1 AS a, '2' AS b, x'33' AS c, NULL AS d, 5 AS rowid)")
		if strings.Contains(query, "?1") {
			operations = append(operations, sql(query+from, sqlValue(r)))
		} else {
			operations = append(operations, sql(query+from))
		}
	}
	return operations
}

func pick(r *rand.Rand, from ...string) string { return from[r.IntN(len(from))] }

func words(text string) []string { return strings.Fields(text) }

// These are what expressions are made of.
var (
	integers = words("0 1 -1 2 7 10 -9 100 255 1000 4294967296 9007199254740993 9223372036854775807 " +
		"-9223372036854775808")
	reals = words("0.0 -0.0 0.1 1.5 -2.5 3.14159 1e15 1e17 123456789.123456789 1e308 9e999 -9e999 5e-324 2.5e-5 " +
		"0.30000000000000004 99999999999999990.0")
	texts = []string{"''", "'abc'", "'ABC'", "'12'", "'12abc'", "' 12 '", "'-0'", "'1e3'", "'0x10'", "'é😀'",
		"'a' || char(0) || 'b'", "'%'", "'a%'", "'_b_'", "'*'", "'[a-c]*'", "'2024-02-30'", "'2024-01-01 12:34:56.789'",
		"'12:00'", "'+1 day'", "'start of month'", "'%d-%m'", "'%s %5d %x'", "'null'", `'[1,2,{"a":3}]'`,
		`'{"a":{"b":[1,2]},"c":null}'`, "'$.a'", "'$[0]'", "'$'", "'$.a.b[#-1]'", "'abcabc'", "'b'", "','", "'%!.15g'",
		"'%-10s|'", "'%,d'", "'%c'", "'%q %Q %w'", "'%.3f'", "'%e'", "'Ää'", "'auto'", "'weekday 2'", "'utc'"}
	blobs = []string{"x''", "x'616263'", "x'41'", "x'ff00'", "x'3132'", "x'0001'", "x'2561'", "zeroblob(3)", "x'c3a9'",
		"jsonb('[1,2]')", `jsonb('{"a":1}')`}
	huge = []string{"hex(zeroblob(3000))", "printf('%.5000c', 'z')", "replace(hex(zeroblob(2000)), '0', 'ab')",
		"zeroblob(70000)"}
	functions = [...][]string{
		1: words("abs hex length lower upper typeof quote trim ltrim rtrim unicode sign round octet_length json " +
			"json_valid json_type json_array_length json_quote jsonb date time datetime julianday unixepoch " +
			"unhex ceil floor trunc likely unlikely char count sum total avg max min json_array jsonb_array " +
			"json_group_array group_concat printf format concat"),
		2: words("ifnull nullif instr round max min substr like glob json_extract json_remove json_type json_patch " +
			"json_group_object json_object jsonb_extract concat concat_ws date datetime strftime printf trim " +
			"ltrim rtrim unhex timediff mod string_agg json_array coalesce unixepoch julianday json_valid " +
			"jsonb_remove"),
		3: words("substr replace like json_set json_insert json_replace iif printf strftime coalesce max min " +
			"json_extract concat_ws datetime jsonb_set substring format"),
	}
	operators = append(words("+ - * / % || = <> < <= > >= AND OR IS LIKE GLOB & | << >> -> ->>"),
		"IS NOT", "COLLATE NOCASE =")
)

// expression returns an expression at most depth deep.
func expression(r *rand.Rand, depth int) string {
	if depth == 0 || r.IntN(5) == 0 {
		return literal(r)
	}
	e := func() any { return expression(r, depth-1) }
	switch k := r.IntN(100); {
	case k < 62:
		n := 1 + k/25
		arguments := make([]string, n)
		for i := range arguments {
			arguments[i] = expression(r, depth-1)
		}
		return pick(r, functions[n]...) + "(" + strings.Join(arguments, ", ") + ")"
	case k < 68:
		return fmt.Sprintf("CAST(%s AS %s)", e(), pick(r, "INTEGER", "REAL", "TEXT", "BLOB", "NUMERIC"))
	case k < 71:
		return fmt.Sprintf("(%s%s)", pick(r, "- ", "+ ", "~ ", "NOT "), e())
	case k < 74:
		return fmt.Sprintf("(%s BETWEEN %s AND %s)", e(), e(), e())
	case k < 77:
		return fmt.Sprintf("CASE %s WHEN %s THEN %s ELSE %s END", e(), e(), e(), e())
	case k < 79:
		return fmt.Sprintf("(%s LIKE %s ESCAPE %s)", e(), e(), e())
	case k < 81:
		return fmt.Sprintf("(SELECT %s)", e())
	case k < 83:
		return fmt.Sprintf("(%s ISNULL)", e())
	case k < 85:
		return fmt.Sprintf("(%s IN (1, 'a', NULL, %s))", e(), e())
	case k < 88:
		return fmt.Sprintf("quote(%s)", e())
	}
	return fmt.Sprintf("(%s %s %s)", e(), pick(r, operators...), e())
}

func literal(r *rand.Rand) string {
	switch k := r.IntN(100); {
	case k < 8:
		return "NULL"
	case k < 23:
		return pick(r, integers...)
	case k < 36:
		return pick(r, reals...)
	case k < 66:
		return pick(r, texts...)
	case k < 86:
		return pick(r, blobs...)
	case k < 90:
		return pick(r, huge...)
	case k < 94:
		return "?1"
	}
	return pick(r, "a", "b", "c", "d", "rowid")
}
