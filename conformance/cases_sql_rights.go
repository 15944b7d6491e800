package conformance

// noTransactions is the error of SQL statements that begin or end transactions.
const noTransactions = "To execute a transaction, please use the state.storage.transaction() or " +
	"state.storage.transactionSync() APIs instead of the SQL BEGIN TRANSACTION or SAVEPOINT statements. " +
	"The JavaScript API is safer because it will automatically roll back on exceptions, and because it " +
	"interacts correctly with Durable Objects' automatic atomic write coalescing."

// rightCases cover what SQL may do: statements, names, pragmas and modules.
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
		"EXPLAIN SELECT 1 WHERE 0", "EXPLAIN QUERY PLAN SELECT 1", "ANALYZE", "REINDEX", "PRAGMA data_version",
		"PRAGMA page_size", "PRAGMA foreign_keys", "PRAGMA case_sensitive_like = ON", "PRAGMA case_sensitive_like",
		"PRAGMA defer_foreign_keys", "PRAGMA defer_foreign_keys = ON", "PRAGMA ignore_check_constraints",
		"PRAGMA legacy_alter_table", "PRAGMA legacy_alter_table = 'yes'", "PRAGMA recursive_triggers = FALSE",
		`PRAGMA reverse_unordered_selects = "Off"`, "PRAGMA foreign_key_check", "PRAGMA quick_check",
		"PRAGMA quick_check(1)", "PRAGMA optimize", "PRAGMA optimize(0x10002)", "PRAGMA main.foreign_keys",
		"PRAGMA TABLE_INFO(nope)", "SELECT * FROM pragma_table_info('nope')", "PRAGMA foreign_key_list(nope)",
		"PRAGMA foreign_key_check(nope)", "SELECT count(*) > 0 FROM pragma_table_list",
	} {
		o := sql(query)
		if query == "ANALYZE" || query == "EXPLAIN SELECT 1 WHERE 0" { // the result depends on the version
			o = sqlOpen("c", query)
		}
		cases = append(cases, one("rights: "+query, o))
	}
	const tables = "CREATE TABLE t (a INTEGER PRIMARY KEY, b DEFAULT 'x' NOT NULL REFERENCES t); " +
		"CREATE INDEX i ON t (b); "
	for _, pragma := range []string{"table_info(t)", "table_xinfo('t')", "index_list(t)", "index_info(i)",
		"index_xinfo = i", "foreign_key_list(t)", "quick_check(t)", "foreign_key_check(t)"} {
		cases = append(cases, one("rights: PRAGMA "+pragma, sql(tables+"PRAGMA "+pragma)))
	}
	return append(cases,
		one("rights: pragmas that are changed",
			block(
				sql("PRAGMA foreign_keys = OFF"), sql("PRAGMA foreign_keys").gives(row(0)),
				sql("PRAGMA foreign_keys = ON"), sql("PRAGMA foreign_keys").gives(row(1)),
			),
		),
		one("rights: foreign keys stay on in a transaction",
			put("a", 1), sql("PRAGMA foreign_keys = OFF"), sql("PRAGMA foreign_keys").gives(row(1)),
		),
		one("rights: case of LIKE",
			sql("PRAGMA case_sensitive_like = ON"), sql("SELECT 'a' LIKE 'A'").gives(row(0)),
			sql("PRAGMA case_sensitive_like = OFF"), sql("SELECT 'a' LIKE 'A'").gives(row(1)),
		),
		one("rights: reading the keys",
			put("a", 1), sql("SELECT key FROM _cf_KV").says("access to _cf_KV.key is prohibited: SQLITE_AUTH"),
		),
		one("rights: counting the keys", put("a", 1), sql("SELECT count(*) FROM _cf_KV")),
		one("rights: writing the keys",
			put("a", 1), sql("DELETE FROM _cf_KV").says(notAuthorized),
			sql("INSERT INTO _cf_KV VALUES ('b', x'00')").says(notAuthorized), sql("UPDATE _cf_KV SET value = NULL"),
			sql("DROP TABLE _cf_KV").says(notAuthorized), list(nil).is(pairs("a", 1)),
		),
		one("rights: reading the alarm", setAlarm(100_000), sql("SELECT * FROM _cf_METADATA")),
		one("rights: an index on the keys",
			put("a", 1), sql("CREATE INDEX i ON _cf_KV (key)"),
			sql("CREATE TRIGGER r AFTER INSERT ON _cf_KV BEGIN SELECT 1; END"), sql("ALTER TABLE _cf_KV RENAME TO t"),
			sql("CREATE VIEW v AS SELECT key FROM _cf_KV"), sql("SELECT * FROM v"),
		),
	)
}
