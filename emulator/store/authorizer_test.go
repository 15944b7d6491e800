package store_test

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestAllowedSQL(t *testing.T) {
	tests := []struct{ name, sql string }{
		{
			"tables",
			"CREATE TABLE x (a); ALTER TABLE x ADD COLUMN b NOT NULL DEFAULT 1; " +
				"ALTER TABLE x RENAME COLUMN b TO c; ALTER TABLE x RENAME TO y; ALTER TABLE y DROP COLUMN c; " +
				"DROP TABLE y",
		},
		{
			"a name that only resembles a reserved one",
			"CREATE TABLE _cf (_cf_a); ALTER TABLE _cf RENAME TO cf_; SELECT _cf_a AS _cf_b FROM cf_",
		},
		{"column with a reserved name", "ALTER TABLE t ADD COLUMN _cf_c"},
		{"indexes", "CREATE INDEX i ON t (b); CREATE UNIQUE INDEX j ON t (lower(b)); REINDEX; REINDEX i; DROP INDEX i"},
		{"views", "CREATE VIEW v AS SELECT * FROM t; SELECT * FROM v; DROP VIEW v"},
		{
			"triggers",
			"CREATE TRIGGER r AFTER INSERT ON t BEGIN UPDATE t SET b = b || 'x'; END; " +
				"INSERT INTO t VALUES (3, 'c'); DROP TRIGGER r",
		},
		{"explain", "EXPLAIN INSERT INTO t VALUES (1, 2); EXPLAIN QUERY PLAN SELECT * FROM t"},
		{"analyze", "CREATE INDEX i ON t (b); ANALYZE; SELECT * FROM sqlite_stat1"},
		{"recursion", "WITH RECURSIVE c (x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c WHERE x < 3) SELECT x FROM c"},
		{
			"schema",
			"SELECT * FROM sqlite_schema WHERE name LIKE '\\_cf\\_%' ESCAPE '\\'; " +
				"SELECT * FROM sqlite_master; SELECT * FROM sqlite_temp_master",
		},
		{"table-valued functions", "SELECT * FROM json_each('[1]'), json_tree('{}'), pragma_table_info('t')"},
		{
			"full text",
			"CREATE VIRTUAL TABLE f USING FTS5(x, y); INSERT INTO f VALUES ('a b', 'c'); " +
				"SELECT highlight(f, 0, '<', '>'), bm25(f), snippet(f, 0, '', '', '', 3) " +
				"FROM f WHERE f MATCH 'b' ORDER BY rank; " +
				"CREATE VIRTUAL TABLE fv USING fts5vocab(f, row); SELECT * FROM fv; " +
				"INSERT INTO f (f) VALUES ('optimize'); SELECT * FROM f_content; DROP TABLE fv; DROP TABLE f",
		},
		{
			"full text over another table",
			"CREATE VIRTUAL TABLE f USING fts5(b, content = 't'); INSERT INTO f (f) VALUES ('rebuild'); " +
				"SELECT * FROM f ('one')",
		},
		{
			"boxes",
			"CREATE VIRTUAL TABLE r USING rtree(id, a, b); INSERT INTO r VALUES (1, 2, 3); " +
				"SELECT * FROM r WHERE a < 5; SELECT rtreecheck('r'); DROP TABLE r",
		},
		{
			"boxes of integers",
			"CREATE VIRTUAL TABLE r USING Rtree_I32(id, a, b); INSERT INTO r VALUES (1, 2, 3); " +
				"UPDATE r SET b = 4; DELETE FROM r",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := newObject(t)
			query(t, o, "CREATE TABLE t (a INTEGER PRIMARY KEY, b); INSERT INTO t VALUES (1, 'one'), (2, 'two')")
			query(t, o, test.sql)
			must(t, o.Commit())
		})
	}
}

func TestRefusedSQL(t *testing.T) {
	const auth = "not authorized: SQLITE_AUTH"
	const transaction = "To execute a transaction, please use the state.storage.transaction() or " +
		"state.storage.transactionSync() APIs instead of the SQL BEGIN TRANSACTION or SAVEPOINT statements. " +
		"The JavaScript API is safer because it will automatically roll back on exceptions, and because it " +
		"interacts correctly with Durable Objects' automatic atomic write coalescing."
	tests := []struct{ sql, want string }{
		{"BEGIN", transaction},
		{"BEGIN IMMEDIATE", transaction},
		{"COMMIT", transaction},
		{"END", transaction},
		{"ROLLBACK", transaction},
		{"SAVEPOINT s", transaction},
		{"RELEASE user", transaction},
		{"ROLLBACK TO user", transaction},
		{"ATTACH ':memory:' AS x", auth},
		{"DETACH main", auth},
		{"VACUUM", "cannot VACUUM from within a transaction: SQLITE_ERROR"},
		{"CREATE TEMP TABLE x (a)", auth},
		{"CREATE TABLE temp.x (a)", auth},
		{"CREATE TEMP VIEW v AS SELECT 1", auth},
		{"CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END", auth},
		{"CREATE TABLE _cf_x (a)", auth},
		{"CREATE TABLE _CF_x AS SELECT 1", auth},
		{"CREATE TABLE IF NOT EXISTS _cf_kv (a)", ""},
		{"CREATE VIEW _Cf_v AS SELECT 1", auth},
		{"CREATE INDEX _cf_i ON t (b)", auth},
		{"CREATE INDEX i ON _cf_KV (value)", auth},
		{"CREATE TRIGGER _cf_r AFTER INSERT ON t BEGIN SELECT 1; END", auth},
		{"CREATE TRIGGER r AFTER INSERT ON _cf_KV BEGIN SELECT 1; END", auth},
		{"CREATE VIRTUAL TABLE _cf_f USING fts5(a)", auth},
		{"ALTER TABLE t RENAME TO _cf_t", auth},
		{"ALTER TABLE t RENAME TO '_CF_t'", auth},
		{"ALTER TABLE _cf_KV RENAME TO kv", auth},
		{"ALTER TABLE _cf_METADATA ADD COLUMN x", auth},
		{"DROP TABLE _cf_KV", auth},
		{"DELETE FROM _cf_KV", auth},
		{"DELETE FROM _cf_METADATA WHERE 0", ""},
		{"INSERT INTO _cf_KV VALUES ('k', 'v')", auth},
		{"REPLACE INTO main._cf_KV VALUES ('k', 'v')", auth},
		{"UPDATE _cf_KV SET value = 1", auth},
		{"SELECT key FROM _cf_KV", "access to _cf_KV.key is prohibited: SQLITE_AUTH"},
		{"SELECT count(*) FROM _CF_kv", ""},
		{"SELECT * FROM (SELECT value FROM _cf_METADATA)", ""},
		{"INSERT INTO t (b) SELECT value FROM _cf_KV", ""},
		{"EXPLAIN SELECT * FROM _cf_KV", ""},
		{"CREATE VIEW v AS SELECT * FROM _cf_KV; SELECT * FROM v", ""},
		{"CREATE TRIGGER r AFTER INSERT ON t BEGIN DELETE FROM _cf_KV; END; INSERT INTO t VALUES (9, 9)", auth},
		{"CREATE VIRTUAL TABLE f USING fts5(value, content = '_cf_KV'); SELECT * FROM f", ""},
		{"SELECT * FROM dbstat", "no such table: dbstat: SQLITE_ERROR"},
		{"SELECT soundex('x')", "no such function: soundex at offset 7: SQLITE_ERROR"},
		{"SELECT load_extension('x')", "not authorized: SQLITE_ERROR"},
		{"SELECT data FROM sqlite_dbpage", "no such table: sqlite_dbpage: SQLITE_ERROR"},
		{"UPDATE sqlite_dbpage SET data = x''", auth},
		{"UPDATE sqlite_schema SET name = 'x'", "table sqlite_master may not be modified: SQLITE_ERROR"},
		{"CREATE VIRTUAL TABLE g USING geopoly(a)", auth},
		{"CREATE VIRTUAL TABLE d USING dbstat(main)", auth},
		{"CREATE VIRTUAL TABLE x USING csv(a)", auth},
		{"INSERT INTO full_data VALUES (99, 1)", "table full_data may not be modified: SQLITE_ERROR"},
		{"UPDATE FULL_config SET v = 1", "table full_config may not be modified: SQLITE_ERROR"},
		{"DELETE FROM box_node", "table box_node may not be modified: SQLITE_ERROR"},
		{"DROP TABLE full_data", "table full_data may not be dropped: SQLITE_ERROR"},
		{"SELECT sqlite_version()", "not authorized to use function: sqlite_version at offset 7: SQLITE_ERROR"},
	}
	for _, reopened := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "object.sqlite")
		o := openObject(t, path)
		query(t, o, `CREATE TABLE t (a INTEGER PRIMARY KEY, b); INSERT INTO t VALUES (1, 1);
			CREATE VIRTUAL TABLE full USING fts5(x); CREATE VIRTUAL TABLE box USING rtree(id, a, b)`)
		must(t, o.Put("key", []byte("value")))
		must(t, o.SetAlarm(epoch))
		must(t, o.Commit())
		if reopened { // so that the query is the first use of the virtual tables
			must(t, o.Close())
			o = openObject(t, path)
			query(t, o, "SELECT * FROM box, full")
			if o.Dirty() {
				t.Error("the first query of a virtual table began a transaction")
			}
		}
		for _, test := range tests {
			if test.want != "" {
				wantRefused(t, o, test.want, test.sql)
			} else if _, err := tryQuery(o, test.sql); err == nil && !strings.HasPrefix(test.sql, "CREATE TABLE IF") {
				t.Errorf("%q was accepted", test.sql)
			}
			must(t, o.Rollback())
			wantValue(t, o, "key", "value")
			wantAlarm(t, o, epoch)
		}
		wantRows(t, query(t, o, "SELECT * FROM t"), []any{int64(1), int64(1)})
		query(t, o, "INSERT INTO full VALUES ('a'); INSERT INTO box VALUES (1, 2, 3)")
	}
}

func TestPragmas(t *testing.T) {
	flags := `case_sensitive_like foreign_keys defer_foreign_keys ignore_check_constraints
		legacy_alter_table recursive_triggers reverse_unordered_selects`
	allowed := []string{
		"data_version", "page_size", "foreign_key_list(t)", "index_info(i)", "index_list('t')", "index_xinfo(i)",
		"table_info(t)", "main.table_info(t)", "TABLE_XINFO(\"t\")", "foreign_key_check", "foreign_key_check(t)",
		"quick_check", "quick_check(3)", "quick_check(t)", "optimize", "optimize(-1)", "optimize(0x10002)",
		"table_list", "table_list(t)",
	}
	refused := []string{
		"data_version(1)", "page_size = 4096", "table_info", "table_info(_cf_KV)", "index_list('_CF_kv')",
		"foreign_key_check(_cf_KV)", "quick_check(_cf_KV)", "optimize(t)", "journal_mode", "journal_mode = DELETE",
		"user_version", "application_id", "integrity_check", "encoding", "cache_size", "database_list",
		"compile_options", "function_list", "module_list", "pragma_list", "max_page_count", "writable_schema = ON",
		"locking_mode", "synchronous", "wal_checkpoint", "temp_store_directory", "trusted_schema",
		"schema_version", "no_such_pragma",
	}
	for _, flag := range strings.Fields(flags) {
		allowed = append(allowed, flag, flag+" = 1", flag+"(off)", flag+" = 'TRUE'", flag+` = "no"`)
		refused = append(refused, flag+" = 2", flag+"(maybe)", flag+"(truth)")
	}
	for _, pragma := range allowed {
		o := newObject(t)
		query(t, o, "CREATE TABLE t (a, b); CREATE INDEX i ON t (b)")
		must(t, o.Commit())
		query(t, o, "PRAGMA "+pragma)
	}
	o := newObject(t)
	query(t, o, "CREATE TABLE t (a, b)")
	for _, pragma := range refused {
		wantRefused(t, o, "not authorized: SQLITE_AUTH", "PRAGMA "+pragma)
		if name, arg, ok := strings.Cut(strings.TrimSuffix(pragma, ")"), "("); ok {
			sql := "SELECT * FROM pragma_" + name + "('" + strings.Trim(arg, "'") + "')"
			if _, err := tryQuery(o, sql); err == nil {
				t.Errorf("%q was accepted", sql)
			}
		}
	}
	wantRows(t, query(t, o, "SELECT name FROM pragma_table_info('t')"), []any{"a"}, []any{"b"})
}

// The lists are workerd's behaviour for each function of this engine.
func TestFunctions(t *testing.T) {
	allowed := `
		abs(1) changes() char(65) coalesce(1,2) concat(1) concat_ws(1,2) format('%d',1) glob('a','b') hex(1)
		ifnull(1,2) iif(1,2,3) instr(1,2) last_insert_rowid() length(1) like('a','b') likelihood(1,0.5) likely(1)
		lower('A') ltrim(1) max(1,2) max(1) min(1,2) min(1) nullif(1,2) octet_length(1) printf('%s',1) quote(1)
		random() randomblob(1) replace(1,2,3) round(1.5) rtrim(1) sign(1) substr('a',1) substring('a',1)
		total_changes() trim(1) typeof(1) unhex('00') unicode('a') unlikely(1) upper('a') zeroblob(1) current_date
		current_time current_timestamp date() datetime() julianday() strftime('%s') time() timediff('now','now')
		unixepoch() avg(1) count(1) count(*) group_concat(1) string_agg(1,2) sum(1) total(1) acos(1) acosh(1) asin(1)
		asinh(1) atan(1) atan2(1,2) atanh(0) ceil(1) cos(1) cosh(1) degrees(1) exp(1) floor(1) ln(1) log(1) log2(1)
		mod(1,2) pi() pow(1,2) radians(1) sin(1) sinh(1) sqrt(1) tan(1) tanh(1) trunc(1) '{}'->'a' '{}'->>'a'
		json('1') json_array(1) json_array_length('[]') json_extract('{}','$') json_group_array(1)
		json_group_object('a',1) json_insert('{}','$.a',1) json_object('a',1) json_patch('{}','{}') json_quote(1)
		json_remove('{}','$.a') json_replace('{}','$.a',1) json_set('{}','$.a',1) json_type('1') json_valid('1')
		jsonb('1') jsonb_array(1) jsonb_extract('{}','$') jsonb_group_array(1) jsonb_group_object('a',1)
		jsonb_insert('{}','$.a',1) jsonb_object('a',1) jsonb_patch('{}','{}') jsonb_remove('{}','$.a')
		jsonb_replace('{}','$.a',1) jsonb_set('{}','$.a',1) ABS(1) cume_dist()over() dense_rank()over()
		first_value(1)over() lag(1)over() last_value(1)over() lead(1)over() nth_value(1,1)over() ntile(1)over()
		percent_rank()over() rank()over() row_number()over()`
	refused := `
		ceiling fts5 fts5_get_locale fts5_insttoken fts5_locale fts5_source_id if json_array_insert
		json_error_position json_pretty jsonb_array_insert load_extension log10 power rtreedepth rtreenode
		sqlite_compileoption_get sqlite_compileoption_used sqlite_log sqlite_offset sqlite_source_id sqlite_version
		subtype unistr unistr_quote geopoly_area SQLITE_VERSION`
	o := newObject(t)
	for _, call := range strings.Fields(allowed) {
		query(t, o, "SELECT "+call)
	}
	for _, name := range strings.Fields(refused) {
		var last error
		for n := range 4 {
			call := `SELECT "` + name + `"(` + strings.TrimSuffix(strings.Repeat("1,", n), ",") + ")"
			if _, last = tryQuery(o, call); last == nil {
				t.Errorf("%q was accepted", call)
			} else if strings.Contains(last.Error(), "not authorized to use function: "+strings.ToLower(name)) {
				break
			}
		}
		wantOneLine(t, last, "function")
	}
}

func TestOnlyTheRefusedRenameIsUndone(t *testing.T) {
	o := newObject(t)
	query(t, o, "CREATE TABLE t (a); INSERT INTO t VALUES (1)")
	must(t, o.Put("key", []byte("value")))
	wantRefused(t, o, "not authorized: SQLITE_AUTH", "INSERT INTO t VALUES (2); ALTER TABLE t RENAME TO _cf_t")
	wantRefused(t, o, "there is already another table or index with this name: t: SQLITE_ERROR",
		"ALTER TABLE t RENAME TO t")
	must(t, o.Commit())
	wantRows(t, query(t, o, "SELECT a FROM t"), []any{int64(1)}, []any{int64(2)})
	wantValue(t, o, "key", "value")
}
