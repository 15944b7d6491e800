package store_test

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"testing"

	"devtool.internal/emulator/store"
)

var benchValue = make([]byte, 100)

func benchObject(b *testing.B, keys int) *store.Object {
	b.Helper()
	o := newObject(b)
	for i := range keys {
		must(b, o.Put(fmt.Sprintf("key %06d", i), benchValue))
	}
	must(b, o.Commit())
	b.ReportAllocs()
	return o
}

// changed returns a value that was not used before, because SQLite does not write a value that is
// already there.
func changed(n uint64) []byte {
	binary.BigEndian.PutUint64(benchValue, n+1)
	return benchValue
}

func BenchmarkGet(b *testing.B) {
	o := benchObject(b, 1000)
	for b.Loop() {
		if _, found, err := o.Get("key 000500"); !found || err != nil {
			b.Fatal(found, err)
		}
	}
}

func BenchmarkPutInOneTransaction(b *testing.B) {
	o := benchObject(b, 1000)
	for n := uint64(0); b.Loop(); n++ {
		must(b, o.Put("key 000500", changed(n)))
	}
}

func BenchmarkPutAndCommit(b *testing.B) {
	o := benchObject(b, 1000)
	for n := uint64(0); b.Loop(); n++ {
		must(b, o.Put("key 000500", changed(n)))
		must(b, o.Commit())
	}
}

func BenchmarkList100(b *testing.B) {
	o := benchObject(b, 1000)
	for b.Loop() {
		entries, _, err := o.List(store.ListOptions{Start: "key 000300", HasStart: true, Limit: 100}, 1<<20)
		if len(entries) != 100 || err != nil {
			b.Fatal(len(entries), err)
		}
	}
}

// The next two benchmarks leave out the close, whose checkpoint waits for the disk.

func BenchmarkOpenNewObject(b *testing.B) {
	dir := b.TempDir()
	n := 0
	for b.Loop() {
		n++
		o, err := store.OpenObject(filepath.Join(dir, fmt.Sprint(n)), "name", true)
		must(b, err)
		b.StopTimer()
		must(b, o.Close())
		b.StartTimer()
	}
}

func BenchmarkReopenObject(b *testing.B) {
	path := filepath.Join(b.TempDir(), "object.sqlite")
	must(b, openObject(b, path).Close())
	for b.Loop() {
		o := openObject(b, path)
		b.StopTimer()
		must(b, o.Close())
		b.StartTimer()
	}
}

func BenchmarkIndexSet(b *testing.B) {
	x := openIndex(b, b.TempDir())
	b.ReportAllocs()
	n := int64(0)
	for b.Loop() {
		n++
		must(b, x.Set(objectID("a"), epoch, n, "", false))
	}
}

func BenchmarkSQL(b *testing.B) {
	for _, bench := range []struct{ name, sql string }{
		{"insert", "INSERT INTO t (v) VALUES (?)"},
		{"select", "SELECT v FROM t WHERE id = ?"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			o := newObject(b)
			query(b, o, "CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
			query(b, o, "INSERT INTO t VALUES (1, 'v')")
			args := []any{1.0}
			b.ReportAllocs()
			for b.Loop() {
				c, err := o.Exec(bench.sql, args)
				if err == nil {
					_, _, err = c.Next()
				}
				must(b, err)
			}
		})
	}
}
