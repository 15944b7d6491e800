package conformance

import "fmt"

// functionCases cover the functions that SQL may call, and functions that it may not.
func functionCases() []Case {
	cases := []Case{}
	for _, f := range functionsAllowed {
		cases = append(cases, one("function: "+f, sql("SELECT "+f)))
	}
	for _, f := range []string{
		"sqlite_version()", "sqlite_source_id()", "sqlite_compileoption_used('x')", "sqlite_compileoption_get(1)",
		"sqlite_log(1, 'x')", "log10(10)", "power(2, 3)", "ceiling(1.5)", "if(1, 2, 3)", "unistr('a')",
		"json_pretty('[]')", "json_error_position('')", "subtype(1)", "median(1)", "edit('a')", "readfile('x')",
		"fts5(1)", "fts5_source_id()", "rtreenode(1, 2)", "rtreedepth(1)",
		"sqlite_rename_test('a', 'b', 'c', 'd', 1, 2, 3)", "sqlite_drop_column(1, 'a', 0)", "jsonb_each('[]')",
		"unistr_quote('a')", "percentile(1, 50)",
	} {
		cases = append(cases, one("function: "+f, sql("SELECT "+f)))
	}
	return cases
}

// functionsAllowed calls each allowed function once, with values that do not depend on time or
// chance.
var functionsAllowed = func() []string {
	calls := []string{
		"'[1]' -> 0", "'[1]' ->> 0", "abs(-2)", "char(97, 98)", "coalesce(NULL, 1)", "concat('a', 1, NULL)",
		"concat_ws('-', 'a', 'b')", "format('%05d', 7)", "glob('a*', 'ab')", "hex('ab')", "ifnull(NULL, 2)",
		"iif(0, 1, 2)", "instr('abc', 'c')", "length('é')", "like('a%', 'AB')", "likelihood(1, 0.5)", "likely(1)",
		"lower('A')", "ltrim('  a')", "max(1, 2)", "min(1, 2)", "nullif(1, 1)", "octet_length('é')",
		"printf('%s', 'x')", "quote('it''s')", "typeof(random())", "length(randomblob(4))",
		"replace('abc', 'b', 'x')", "round(2.567, 1)", "rtrim('a  ')", "sign(-3)", "substr('abcd', 2, 2)",
		"substring('abcd', -2)", "trim(' a ')", "typeof(NULL)", "unhex('6162')", "unicode('a')", "unlikely(0)",
		"upper('a')", "zeroblob(2)", "length(current_date)", "length(current_time)", "length(current_timestamp)",
		"date('2024-02-30')", "datetime(1e9, 'auto')", "julianday('2024-01-01')",
		"strftime('%j %w %s', '2024-03-01')", "time('12:00', '+90 minutes')",
		"timediff('2024-03-01', '2024-02-01')", "unixepoch('2024-01-01')", "avg(column1) FROM (VALUES (1), (2))",
		"count(*)", "group_concat(column1, '-') FROM (VALUES (1), (2))",
		"string_agg(column1, '+') FROM (VALUES (1), (2))", "sum(column1) FROM (VALUES (1), (2.5))",
		"total(column1) FROM (VALUES (1))", "json('{\"a\" : 1}')", "json_array(1, 'a', NULL)",
		"json_array_length('[1,2]')", "json_extract('{\"a\":1.5}', '$.a')",
		"json_group_array(column1) FROM (VALUES (1), (2))", "json_group_object(column1, 1) FROM (VALUES ('a'))",
		"json_insert('[]', '$[0]', 1)", "json_object('a', 1)", "json_patch('{}', '{\"a\":1}')", "json_quote('a')",
		"json_remove('[1]', '$[0]')", "json_replace('[1]', '$[0]', 2)", "json_set('{}', '$.a', 1)",
		"json_type('1')", "json_valid('[')", "key FROM json_tree('[1]')", "json(jsonb('[1]'))",
		"json(jsonb_array(1))", "json(jsonb_object('a', 1))", "jsonb('[1]')", "json(jsonb_set('{}', '$.a', 1))",
		"json(jsonb_group_array(column1)) FROM (VALUES (1))", "changes()", "last_insert_rowid()",
		"typeof(total_changes())", "sqlite_rename_table(1, 2, 3, 4, 5, 6, 7)",
	}
	for _, f := range []string{
		"acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "degrees", "exp", "floor", "ln",
		"log", "log2", "radians", "sin", "sinh", "sqrt", "tan", "tanh", "trunc",
	} {
		calls = append(calls, fmt.Sprintf("round(%s(0.5), 9)", f))
	}
	for _, f := range []string{
		"cume_dist()", "dense_rank()", "first_value(column1)", "lag(column1)", "last_value(column1)",
		"lead(column1)", "nth_value(column1, 1)", "ntile(2)", "percent_rank()", "rank()", "row_number()",
	} {
		calls = append(calls, f+" OVER (ORDER BY column1) FROM (VALUES (1), (2))")
	}
	return append(calls, "round(atan2(1, 2), 9)", "mod(7, 3)", "pi()", "pow(2, 3)")
}()
