package durabletest_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"devtool.internal/durable"
	"devtool.internal/durabletest"
)

// A visit is a row as generated code has it, for columns of every type that people declare.
type visit struct {
	ID     int64
	Label  string
	At     time.Time
	Seen   sql.NullTime
	Left   *time.Time
	Active bool
	Paid   sql.NullBool
	Weight float64
	Noted  time.Time
}

// What DB and SQL bind comes back from SQLite as it was, whatever the columns are declared as.
func TestValuesComeBackFromTheDatabase(t *testing.T) {
	t.Parallel()
	srv := start(t)
	at := time.Date(2030, 1, 2, 3, 4, 5, 678e6, time.UTC)
	want := []visit{
		{1, "first", at, sql.NullTime{Time: at.Add(time.Hour), Valid: true}, &at, true,
			sql.NullBool{Bool: false, Valid: true}, 2, at},
		{2, "second", at.Add(time.Millisecond), sql.NullTime{}, nil, false, sql.NullBool{}, 2.5, at},
	}
	durabletest.Run(t, srv.Object("Lab", "a"), func(ctx context.Context, _ *Lab, s *durable.State) {
		db, plain := s.Storage.DB(), s.Storage.SQL()
		defer db.Close() // else the garbage collector does, perhaps after the check for goroutines
		check := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		_, err := db.ExecContext(ctx, `CREATE TABLE visits (id INTEGER PRIMARY KEY, label TEXT NOT NULL,
			at DATETIME NOT NULL, seen TIMESTAMP, "left" TEXT, active BOOLEAN NOT NULL, paid, weight REAL,
			noted DATE NOT NULL)`)
		check(err)
		const insert = "INSERT INTO visits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
		args := func(v visit) []any {
			return []any{v.ID, v.Label, v.At, v.Seen, v.Left, v.Active, v.Paid, v.Weight, v.Noted}
		}
		_, err = db.ExecContext(ctx, insert, args(want[0])...)
		check(err)
		_, err = plain.Exec(ctx, insert, args(want[1])...)
		check(err)

		rows, err := db.QueryContext(ctx, "SELECT * FROM visits ORDER BY at")
		check(err)
		defer rows.Close()
		var got []visit
		for rows.Next() {
			var v visit
			check(rows.Scan(&v.ID, &v.Label, &v.At, &v.Seen, &v.Left, &v.Active, &v.Paid, &v.Weight, &v.Noted))
			got = append(got, v)
		}
		check(rows.Err())
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("from DB (-want +got):\n%s", diff)
		}
		cursor, err := plain.Exec(ctx, "SELECT * FROM visits ORDER BY at")
		check(err)
		got = nil
		check(cursor.All(&got))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("from SQL (-want +got):\n%s", diff)
		}

		for query, want := range map[string]any{
			"SELECT count(*) FROM visits":                                             int64(2),
			"SELECT count(*) FROM visits WHERE active":                                int64(1),
			"SELECT count(*) FROM visits WHERE at > '2030-01-02 03:04:05.678Z'":       int64(1),
			"SELECT sum(weight) FROM visits":                                          4.5,
			"SELECT weight FROM visits WHERE id = 1":                                  int64(2),
			"SELECT CAST(unixepoch(at) AS TEXT) FROM visits WHERE id = 1":             "1893553445",
			"SELECT strftime('%Y-%m-%d %H:%M:%fZ', at, '+1 day') FROM visits":         at.AddDate(0, 0, 1),
			"SELECT max(at) FROM visits":                                              at.Add(time.Millisecond),
			"SELECT typeof(active) || typeof(paid) FROM visits WHERE id = 1":          "integerreal",
			"SELECT at || '' FROM visits WHERE id = 1":                                at,
			"SELECT datetime(at) FROM visits WHERE id = 1":                            "2030-01-02 03:04:05",
			"SELECT group_concat(label, '+') FROM (SELECT * FROM visits ORDER BY id)": "first+second",
		} {
			var viaDB, viaSQL any
			check(db.QueryRowContext(ctx, query+" LIMIT 1").Scan(&viaDB))
			if diff := cmp.Diff(want, viaDB); diff != "" {
				t.Errorf("%s from DB (-want +got):\n%s", query, diff)
			}
			cursor, err := plain.Exec(ctx, query+" LIMIT 1")
			check(err)
			check(cursor.One(&viaSQL))
			if moment, ok := want.(time.Time); ok { // SQL leaves text as it is
				want = moment.Format("2006-01-02 15:04:05.000Z")
			}
			if diff := cmp.Diff(want, viaSQL); diff != "" {
				t.Errorf("%s from SQL (-want +got):\n%s", query, diff)
			}
		}
		var n int
		check(db.QueryRowContext(ctx, "SELECT count(*) FROM visits WHERE at <= ?", at).Scan(&n))
		if n != 1 {
			t.Errorf("%d rows up to a time, want 1", n)
		}
	})
}
