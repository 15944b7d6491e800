package conformance

import "fmt"

// What SQL that is not about transactions says of them.
const noTransactions = "To execute a transaction, please use the state.storage.transaction() or state.storage.transactionSync() APIs " +
	"instead of the SQL BEGIN TRANSACTION or SAVEPOINT statements. The JavaScript API is safer because it will automatically " +
	"roll back on exceptions, and because it interacts correctly with Durable Objects' automatic atomic write coalescing."

// rightCases are about what SQL may do: statements, names, pragmas, modules and functions.
func rightCases() []Case {
	refusals := []struct{ query, message string }{
		{"BEGIN", noTransactions},
		{"BEGIN IMMEDIATE", noTransactions},
		{"COMMIT", noTransactions},
		{"END", noTransactions},
		{"ROLLBACK", noTransactions},
		{"SAVEPOINT s", noTransactions},
		{"RELEASE s", noTransactions},
		{"ROLLBACK TO s", noTransactions},
		{"SELECT 1; BEGIN; SELECT 2", noTransactions},
		{"ATTACH 'other.db' AS other", notAuthorized},
		{"ATTACH ':memory:' AS other", notAuthorized},
		{"DETACH main", notAuthorized},
		{"VACUUM", "cannot VACUUM from within a transaction" + code},
		{"CREATE TEMP TABLE t (a)", notAuthorized},
		{"CREATE TABLE temp.t (a)", notAuthorized},
		{"CREATE TEMP VIEW v AS SELECT 1", notAuthorized},
		{"CREATE TEMP TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END", "no such table: t" + code},
		{"CREATE TABLE _cf_t (a)", notAuthorized},
		{"CREATE TABLE _CF_t (a)", notAuthorized},
		{"CREATE TABLE _cf_KV (a)", notAuthorized},
		{"CREATE VIEW _cf_v AS SELECT 1", notAuthorized},
		{"CREATE VIRTUAL TABLE _cf_f USING fts5(a)", notAuthorized},
		{"CREATE TABLE t (a); ALTER TABLE t RENAME TO _cf_t", notAuthorized},
		{"CREATE TABLE t (a); CREATE INDEX _cf_i ON t (a)", notAuthorized},
		{"CREATE TABLE t (a); CREATE TRIGGER _cf_r AFTER INSERT ON t BEGIN SELECT 1; END", notAuthorized},
		{"PRAGMA table_info(_cf_KV)", notAuthorized},
		{"PRAGMA table_info(_CF_kv)", notAuthorized},
		{"PRAGMA table_info", notAuthorized},
		{"PRAGMA journal_mode", notAuthorized},
		{"PRAGMA journal_mode = DELETE", notAuthorized},
		{"PRAGMA user_version", notAuthorized},
		{"PRAGMA user_version = 7", notAuthorized},
		{"PRAGMA application_id", notAuthorized},
		{"PRAGMA integrity_check", notAuthorized},
		{"PRAGMA encoding", notAuthorized},
		{"PRAGMA cache_size", notAuthorized},
		{"PRAGMA database_list", notAuthorized},
		{"PRAGMA compile_options", notAuthorized},
		{"PRAGMA function_list", notAuthorized},
		{"PRAGMA max_page_count", notAuthorized},
		{"PRAGMA synchronous = OFF", notAuthorized},
		{"PRAGMA writable_schema = ON", notAuthorized},
		{"PRAGMA page_size = 512", notAuthorized},
		{"PRAGMA foreign_keys = 2", notAuthorized},
		{"PRAGMA foreign_keys = maybe", notAuthorized},
		{"PRAGMA optimize('a')", notAuthorized},
		{"SELECT * FROM pragma_database_list", notAuthorized},
		{"SELECT * FROM pragma_user_version", notAuthorized},
		{"CREATE VIRTUAL TABLE t USING fts4(a)", notAuthorized},
		{"CREATE VIRTUAL TABLE t USING fts3(a)", notAuthorized},
		{"CREATE VIRTUAL TABLE t USING geopoly(a)", ""},
		{"CREATE VIRTUAL TABLE t USING csv(a)", ""},
		{"CREATE VIRTUAL TABLE t USING dbstat", ""},
		{"SELECT * FROM dbstat", "no such table: dbstat" + code},
		{"SELECT * FROM sqlite_dbpage", "no such table: sqlite_dbpage" + code},
		{"SELECT * FROM generate_series(1, 3)", "no such table: generate_series" + code},
		{"SELECT 'a' REGEXP 'b'", "no such function: REGEXP at offset 11" + code},
		{"SELECT * FROM sqlite_temp_schema", ""},
		{"INSERT INTO sqlite_schema VALUES (1, 2, 3, 4, 5)", "table sqlite_master may not be modified" + code},
		{"DELETE FROM sqlite_schema", "table sqlite_master may not be modified" + code},
		{"DROP TABLE sqlite_schema", "table sqlite_master may not be dropped" + code},
		{"CREATE VIRTUAL TABLE f USING fts5(a); DROP TABLE f_data", "table f_data may not be dropped" + code},
		{"CREATE VIRTUAL TABLE f USING fts5(a); DELETE FROM f_data", ""},
		{"SELECT load_extension('x')", "not authorized" + code},
		{"SELECT soundex('x')", "no such function: soundex at offset 7" + code},
		{"SELECT sqlite_offset(1)", "no such function: sqlite_offset at offset 7" + code},
	}
	cases := []Case{}
	for _, r := range refusals {
		o := sql(r.query)
		if r.message != "" {
			o = o.says(r.message)
		}
		cases = append(cases, one("rights: "+r.query, o))
	}
	for _, query := range []string{
		"EXPLAIN SELECT 1 WHERE 0", "EXPLAIN QUERY PLAN SELECT 1", "ANALYZE", "REINDEX", "PRAGMA data_version", "PRAGMA page_size", "PRAGMA foreign_keys",
		"PRAGMA case_sensitive_like = ON", "PRAGMA case_sensitive_like", "PRAGMA defer_foreign_keys", "PRAGMA defer_foreign_keys = ON", "PRAGMA ignore_check_constraints",
		"PRAGMA legacy_alter_table", "PRAGMA legacy_alter_table = 'yes'", "PRAGMA recursive_triggers = FALSE", `PRAGMA reverse_unordered_selects = "Off"`,
		"PRAGMA foreign_key_check", "PRAGMA quick_check", "PRAGMA quick_check(1)", "PRAGMA optimize", "PRAGMA optimize(0x10002)", "PRAGMA main.foreign_keys",
		"PRAGMA TABLE_INFO(nope)", "SELECT * FROM pragma_table_info('nope')", "PRAGMA foreign_key_list(nope)", "PRAGMA foreign_key_check(nope)",
		"SELECT count(*) > 0 FROM pragma_table_list",
	} {
		o := sql(query)
		if query == "ANALYZE" || query == "EXPLAIN SELECT 1 WHERE 0" { // what they return depends on the version
			o = sqlOpen("c", query)
		}
		cases = append(cases, one("rights: "+query, o))
	}
	const tables = "CREATE TABLE t (a INTEGER PRIMARY KEY, b DEFAULT 'x' NOT NULL REFERENCES t); CREATE INDEX i ON t (b); "
	for _, pragma := range []string{"table_info(t)", "table_xinfo('t')", "index_list(t)", "index_info(i)", "index_xinfo = i", "foreign_key_list(t)", "quick_check(t)", "foreign_key_check(t)"} {
		cases = append(cases, one("rights: PRAGMA "+pragma, sql(tables+"PRAGMA "+pragma)))
	}
	for _, f := range functionsAllowed {
		cases = append(cases, one("function: "+f, sql("SELECT "+f)))
	}
	for _, f := range []string{
		"sqlite_version()", "sqlite_source_id()", "sqlite_compileoption_used('x')", "sqlite_compileoption_get(1)", "sqlite_log(1, 'x')", "log10(10)", "power(2, 3)",
		"ceiling(1.5)", "if(1, 2, 3)", "unistr('a')", "json_pretty('[]')", "json_error_position('')", "subtype(1)", "median(1)", "edit('a')", "readfile('x')",
		"fts5(1)", "fts5_source_id()", "rtreenode(1, 2)", "rtreedepth(1)", "sqlite_rename_test('a', 'b', 'c', 'd', 1, 2, 3)", "sqlite_drop_column(1, 'a', 0)", "jsonb_each('[]')",
		"unistr_quote('a')", "percentile(1, 50)",
	} {
		cases = append(cases, one("function: "+f, sql("SELECT "+f)))
	}
	return append(cases,
		one("rights: pragmas that are changed", block(sql("PRAGMA foreign_keys = OFF"), sql("PRAGMA foreign_keys").gives(row(0)), sql("PRAGMA foreign_keys = ON"),
			sql("PRAGMA foreign_keys").gives(row(1)))),
		one("rights: foreign keys stay on in a transaction", put("a", 1), sql("PRAGMA foreign_keys = OFF"), sql("PRAGMA foreign_keys").gives(row(1))),
		one("rights: case of LIKE", sql("PRAGMA case_sensitive_like = ON"), sql("SELECT 'a' LIKE 'A'").gives(row(0)), sql("PRAGMA case_sensitive_like = OFF"),
			sql("SELECT 'a' LIKE 'A'").gives(row(1))),
		one("rights: reading the keys", put("a", 1), sql("SELECT key FROM _cf_KV").says("access to _cf_KV.key is prohibited: SQLITE_AUTH")),
		one("rights: counting the keys", put("a", 1), sql("SELECT count(*) FROM _cf_KV")),
		one("rights: writing the keys", put("a", 1), sql("DELETE FROM _cf_KV").says(notAuthorized), sql("INSERT INTO _cf_KV VALUES ('b', x'00')").says(notAuthorized),
			sql("UPDATE _cf_KV SET value = NULL"), sql("DROP TABLE _cf_KV").says(notAuthorized), list(nil).is(pairs("a", 1))),
		one("rights: reading the alarm", setAlarm(100_000), sql("SELECT * FROM _cf_METADATA")),
		one("rights: an index on the keys", put("a", 1), sql("CREATE INDEX i ON _cf_KV (key)"), sql("CREATE TRIGGER r AFTER INSERT ON _cf_KV BEGIN SELECT 1; END"),
			sql("ALTER TABLE _cf_KV RENAME TO t"), sql("CREATE VIEW v AS SELECT key FROM _cf_KV"), sql("SELECT * FROM v")),
	)
}

// functionsAllowed are calls of all functions there are, once each, with values that no clock and no chance decides.
var functionsAllowed = func() []string {
	calls := []string{
		"'[1]' -> 0", "'[1]' ->> 0", "abs(-2)", "char(97, 98)", "coalesce(NULL, 1)", "concat('a', 1, NULL)", "concat_ws('-', 'a', 'b')", "format('%05d', 7)", "glob('a*', 'ab')",
		"hex('ab')", "ifnull(NULL, 2)", "iif(0, 1, 2)", "instr('abc', 'c')", "length('é')", "like('a%', 'AB')", "likelihood(1, 0.5)", "likely(1)", "lower('A')", "ltrim('  a')",
		"max(1, 2)", "min(1, 2)", "nullif(1, 1)", "octet_length('é')", "printf('%s', 'x')", "quote('it''s')", "typeof(random())", "length(randomblob(4))", "replace('abc', 'b', 'x')",
		"round(2.567, 1)", "rtrim('a  ')", "sign(-3)", "substr('abcd', 2, 2)", "substring('abcd', -2)", "trim(' a ')", "typeof(NULL)", "unhex('6162')", "unicode('a')",
		"unlikely(0)", "upper('a')", "zeroblob(2)", "length(current_date)", "length(current_time)", "length(current_timestamp)", "date('2024-02-30')", "datetime(1e9, 'auto')",
		"julianday('2024-01-01')", "strftime('%j %w %s', '2024-03-01')", "time('12:00', '+90 minutes')", "timediff('2024-03-01', '2024-02-01')", "unixepoch('2024-01-01')",
		"avg(column1) FROM (VALUES (1), (2))", "count(*)", "group_concat(column1, '-') FROM (VALUES (1), (2))", "string_agg(column1, '+') FROM (VALUES (1), (2))",
		"sum(column1) FROM (VALUES (1), (2.5))", "total(column1) FROM (VALUES (1))", "json('{\"a\" : 1}')", "json_array(1, 'a', NULL)", "json_array_length('[1,2]')",
		"json_extract('{\"a\":1.5}', '$.a')", "json_group_array(column1) FROM (VALUES (1), (2))", "json_group_object(column1, 1) FROM (VALUES ('a'))",
		"json_insert('[]', '$[0]', 1)", "json_object('a', 1)", "json_patch('{}', '{\"a\":1}')", "json_quote('a')", "json_remove('[1]', '$[0]')", "json_replace('[1]', '$[0]', 2)",
		"json_set('{}', '$.a', 1)", "json_type('1')", "json_valid('[')", "key FROM json_tree('[1]')", "json(jsonb('[1]'))", "json(jsonb_array(1))", "json(jsonb_object('a', 1))",
		"jsonb('[1]')", "json(jsonb_set('{}', '$.a', 1))", "json(jsonb_group_array(column1)) FROM (VALUES (1))", "changes()", "last_insert_rowid()", "typeof(total_changes())",
		"sqlite_rename_table(1, 2, 3, 4, 5, 6, 7)",
	}
	for _, f := range []string{"acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "degrees", "exp", "floor", "ln", "log", "log2", "radians", "sin", "sinh", "sqrt", "tan", "tanh", "trunc"} {
		calls = append(calls, fmt.Sprintf("round(%s(0.5), 9)", f))
	}
	for _, f := range []string{"cume_dist()", "dense_rank()", "first_value(column1)", "lag(column1)", "last_value(column1)", "lead(column1)", "nth_value(column1, 1)", "ntile(2)", "percent_rank()", "rank()", "row_number()"} {
		calls = append(calls, f+" OVER (ORDER BY column1) FROM (VALUES (1), (2))")
	}
	return append(calls, "round(atan2(1, 2), 9)", "mod(7, 3)", "pi()", "pow(2, 3)")
}()
