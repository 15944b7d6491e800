package conformance

// valueCases cover how a value comes back from storage.
func valueCases() []Case {
	const big = 1 << 20
	rows := []struct {
		name  string
		value any
	}{
		{"true", true},
		{"false", false},
		{"zero", 0},
		{"a negative number", -12},
		{"a fraction", 0.1},
		{"the largest whole number", 9007199254740991},
		{"a large number", 1e300},
		{"a small number", 5e-324},
		{"an empty text", ""},
		{"a text", "hello"},
		{"a text with quotes", "\"'\\\n\t\x00"},
		{"a text that HTML would escape", "<a href=\"x\">&</a>\u2028\u2029"},
		{"a text beyond ASCII", "grüße 😀 \ufffd"},
		{"a long text", long(big)},
		{"an empty list", []any{}},
		{"a list", []any{1, "two", nil, true, []any{}}},
		{"an empty object", object{}},
		{"an object", object{"a": 1, "b": object{"c": []any{1, 2}}, "": nil}},
		{"an object with number keys", object{"2": "b", "10": "c", "1": "a"}},
		{"an object with a key toJSON", object{"toJSON": 1, "constructor": 2}},
		{"bytes", binary("AAEC/w==")},
		{"no bytes", binary("")},
		{"bytes that look like JSON", binary("eyJhIjoxfQ==")},
		{"a date", date(1_790_000_000_123)},
		{"the date 1970", date(0)},
		{"a date before 1970", date(-1)},
		{"a date far ahead", date(8_640_000_000_000_000)},
		{"a text that looks like a date", "2026-10-01T00:00:00.000Z"},
		{"deep nesting", nest(100)},
	}
	cases := make([]Case, 0, len(rows))
	for _, r := range rows {
		cases = append(cases, Case{Name: "value: " + r.name, Do: []Op{
			call(put("a", r.value).is(done), get("a").is(value(r.value))),
			call(get("a").is(value(r.value)), getMany("a").is(pairs("a", r.value)), list(nil).is(pairs("a", r.value))),
		}})
	}
	inside := object{"at": date(0), "raw": binary("AQ==")}
	return append(cases,
		one("value: date and bytes inside an object", put("a", inside).is(done),
			get("a").differs(value(inside), value(object{"at": "1970-01-01T00:00:00Z", "raw": "AQ=="}))),
		one("value: NaN", put("a", object{"$number": "NaN"}).differs(done, refused),
			get("a").differs(value(object{"$number": "NaN"}), none)),
		one("value: more than 2 MiB with the key", put("a", long(2<<20)).differs(done, refused),
			get("a").differs(value(long(2<<20)), none)),
		one("value: more than 8 MiB with the key", put("a", long(9<<20)).is(refused), get("a").is(none)),
		one("value: a refused one keeps the previous one",
			put("a", 1), put("a", long(9<<20)).is(refused), get("a").is(value(1)),
		),
	)
}

// nest returns n nested lists.
func nest(depth int) any {
	var v any = "inmost"
	for range depth {
		v = []any{v}
	}
	return v
}
