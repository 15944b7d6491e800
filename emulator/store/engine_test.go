package store_test

import (
	"fmt"
	"testing"
)

func TestLikeAndGlobTakeABlobForItsText(t *testing.T) {
	o := newObject(t)
	check := func(when string) {
		t.Helper()
		for _, test := range []struct {
			expression string
			want       any
		}{
			{"x'616263' LIKE 'a%'", int64(1)},
			{"x'61' LIKE NULL", nil},
			{"'abc' LIKE x'6125'", int64(1)},
			{"like(x'6125', x'616263')", int64(1)},
			{"x'612562' LIKE x'61215c25' ESCAPE x'5c'", int64(0)},
			{"x'612562' LIKE x'61215c2562' ESCAPE x'21'", int64(0)},
			{"x'612562' LIKE x'61212562' ESCAPE x'21'", int64(1)},
			{"x'616263' GLOB 'a*'", int64(1)},
			{"NULL GLOB x'61'", nil},
			{"'b' GLOB x'5b612d635d'", int64(1)},
			{"zeroblob(0) GLOB ''", int64(1)},
			{"1 LIKE 1.0", int64(0)},
		} {
			got := query(t, o, "SELECT "+test.expression)
			if fmt.Sprint(got) != fmt.Sprint([][]any{{test.want}}) {
				t.Errorf("%s: %s is %v, want %v", when, test.expression, got, test.want)
			}
		}
		wantRefused(t, o, "LIKE or GLOB pattern too complex: SQLITE_ERROR", "SELECT 'a' LIKE zeroblob(51)")
		wantRefused(t, o, "LIKE or GLOB pattern too complex: SQLITE_ERROR", "SELECT 'a' GLOB zeroblob(51)")
	}
	check("in a new connection")
	query(t, o, "PRAGMA case_sensitive_like = ON")
	wantRows(t, query(t, o, "SELECT x'41' LIKE 'a', x'61' LIKE 'a'"), []any{int64(0), int64(1)})
	query(t, o, "PRAGMA case_sensitive_like = OFF")
	check("after the pragma")
	query(t, o, "EXPLAIN PRAGMA case_sensitive_like = ON") // which takes effect nevertheless
	wantRows(t, query(t, o, "SELECT x'61' LIKE 'a'"), []any{int64(1)})
	must(t, o.Rollback())
	check("after a rollback that undoes the pragma")
}

func TestLikeAndGlobFindBlobsInAColumnWithAnIndex(t *testing.T) {
	o := newObject(t)
	query(t, o, "CREATE TABLE t (a UNIQUE, b TEXT COLLATE NOCASE UNIQUE)")
	query(t, o, "INSERT INTO t VALUES (x'616263', x'616263'), ('abd', 'abd'), ('b', 'b')")
	for _, where := range []string{"a LIKE 'ab%'", "a GLOB 'ab*'", "b LIKE 'ab%'", "b GLOB 'ab*'"} {
		wantRows(t, query(t, o, "SELECT count(*) FROM t WHERE "+where), []any{int64(2)})
	}
}

// Only constant functions may be used there, so LIKE must not lose that property.
func TestLikeAndGlobMayBeUsedInAnIndex(t *testing.T) {
	o := newObject(t)
	const index = "CREATE INDEX i%d ON t (a) WHERE a LIKE 'a%%' OR a GLOB 'a*'"
	query(t, o, "CREATE TABLE t (a)")
	query(t, o, fmt.Sprintf(index, 1))
	must(t, o.Commit())
	query(t, o, "PRAGMA case_sensitive_like = OFF")
	const refusal = "non-deterministic functions prohibited in partial index WHERE clauses at offset 33: SQLITE_ERROR"
	wantRefused(t, o, refusal, fmt.Sprintf(index, 2))
	must(t, o.Rollback())
	query(t, o, fmt.Sprintf(index, 3))
}

// On the platform, each object has a connection of its own to set the pragma on.
func TestEachObjectHasItsOwnCaseSensitiveLike(t *testing.T) {
	one, other := newObject(t), newObject(t)
	query(t, one, "PRAGMA case_sensitive_like = ON")
	wantRows(t, query(t, one, "SELECT x'41' LIKE 'a', 'A' LIKE 'a'"), []any{int64(0), int64(0)})
	wantRows(t, query(t, other, "SELECT x'41' LIKE 'a', 'A' LIKE 'a'"), []any{int64(1), int64(1)})
}

func TestAnalyzeStoresNoSamples(t *testing.T) {
	o := newObject(t)
	query(t, o, "CREATE TABLE t (a); CREATE INDEX i ON t (a); INSERT INTO t VALUES (1), (2); ANALYZE")
	wantRows(t, query(t, o, "SELECT name FROM sqlite_schema WHERE name LIKE 'sqlite_stat%'"), []any{"sqlite_stat1"})
}

func TestFunctionsThatThePlatformLacksDoNotExist(t *testing.T) {
	o := newObject(t)
	for _, name := range []string{"soundex", "sqlite_offset", "geopoly_area", "GeoPoly_svg"} {
		for _, arguments := range []string{"", "1", "1, 2, 3, 4, 5"} {
			wantRefused(t, o, "no such function: "+name+" at offset 7: SQLITE_ERROR",
				"SELECT "+name+"("+arguments+")")
		}
	}
}

func BenchmarkLike(b *testing.B) {
	o := newObject(b)
	must(b, o.Commit())
	for b.Loop() {
		c, err := o.Exec("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "+
			"SELECT count(*) FROM n WHERE 'text ' || i LIKE '%9'", nil)
		must(b, err)
		for {
			if _, more, err := c.Next(); err != nil || !more {
				must(b, err)
				break
			}
		}
	}
}
