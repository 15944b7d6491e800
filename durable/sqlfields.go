package durable

import (
	"database/sql"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// A fieldPlan assigns the columns of a row to the fields of a struct.
type fieldPlan struct {
	record reflect.Type
	paths  [][]int // for each column, as for FieldByIndex; nil if a later column has the same name
}

// isRecord reports whether a row is scanned into the fields of a t. Otherwise one value is
// scanned into t.
func isRecord(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != reflect.TypeFor[time.Time]() && !isScanner(reflect.PointerTo(t))
}

func isScanner(t reflect.Type) bool { return t.Implements(reflect.TypeFor[sql.Scanner]()) }

func planFields(record reflect.Type, columns []string) (*fieldPlan, error) {
	fields := fieldsOf(record)
	plan := &fieldPlan{record: record, paths: make([][]int, len(columns))}
	for i, column := range columns {
		f, err := fields.find(column)
		if err != nil {
			return nil, fmt.Errorf("column %q into a %s: %w", column, record, err)
		}
		if !slices.Contains(columns[i+1:], column) {
			plan.paths[i] = f.Index
		}
	}
	return plan, nil
}

// candidates are the fields of a struct, and of structs embedded in it, that can be set.
type candidates []reflect.StructField

func fieldsOf(record reflect.Type) (fields candidates) {
	for _, f := range reflect.VisibleFields(record) {
		if f.IsExported() && f.Tag.Get("db") != "-" && !isEmbeddedRecord(f) && reachable(record, f.Index) {
			fields = append(fields, f)
		}
	}
	return fields
}

// isEmbeddedRecord reports whether f stands for the fields of another struct.
func isEmbeddedRecord(f reflect.StructField) bool {
	t := f.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return f.Anonymous && tagOf(f) == "" && isRecord(t)
}

// reachable reports whether the field at path can be set. It cannot inside a value such as a
// time.Time, inside a field with the tag "-", or behind a pointer that only its own package can
// set.
func reachable(record reflect.Type, path []int) bool {
	for i := 1; i < len(path); i++ {
		outer := record.FieldByIndex(path[:i])
		ours := outer.Type.Kind() != reflect.Pointer || outer.IsExported()
		if !ours || !isEmbeddedRecord(outer) || outer.Tag.Get("db") == "-" {
			return false
		}
	}
	return true
}

// find returns the field for a column: the one with its tag or, if there is none, the one with its
// name. Of several it returns the least deeply embedded one.
func (fields candidates) find(column string) (found reflect.StructField, err error) {
	name := plain(column)
	for _, matches := range []func(reflect.StructField) bool{
		func(f reflect.StructField) bool { return tagOf(f) != "" && tagOf(f) == column },
		func(f reflect.StructField) bool { return tagOf(f) == "" && plain(f.Name) == name },
	} {
		for _, f := range fields {
			switch {
			case !matches(f):
			case found.Index == nil || len(f.Index) < len(found.Index):
				found, err = f, nil
			case len(f.Index) == len(found.Index):
				err = fmt.Errorf("both fields %s and %s match", found.Name, f.Name)
			}
		}
		if found.Index != nil {
			return found, err
		}
	}
	return found, fmt.Errorf("no field matches: give a field that name, or the tag `db:%q`", column)
}

func tagOf(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("db"), ",")
	return name
}

// plain returns name in the form in which names are compared.
func plain(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

// fieldAt returns the field at path, and allocates the embedded structs on the way.
func fieldAt(record reflect.Value, path []int) reflect.Value {
	for i, n := range path {
		if i > 0 && record.Kind() == reflect.Pointer {
			if record.IsNil() {
				record.Set(reflect.New(record.Type().Elem()))
			}
			record = record.Elem()
		}
		record = record.Field(n)
	}
	return record
}
