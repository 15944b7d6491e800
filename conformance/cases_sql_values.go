package conformance

// bindingCases cover values: bound arguments, and what a query returns.
func bindingCases() []Case {
	rows := []struct {
		name string
		arg  any
		// The type that SQL sees, and what columns of INTEGER, REAL, TEXT, BLOB and NUMERIC
		// affinity return.
		kind                               string
		integer, real, text, blob, numeric any
	}{
		{"a whole number", 1, "real", 1, 1, "1.0", 1, 1},
		{"zero", 0, "real", 0, 0, "0.0", 0, 0},
		{"a negative number", -7, "real", -7, -7, "-7.0", -7, -7},
		{"a fraction", 1.5, "real", 1.5, 1.5, "1.5", 1.5, 1.5},
		{"a large number", 1 << 53, "real", 1 << 53, 1 << 53, "9007199254740992.0", 1 << 53, 1 << 53},
		{"a number beyond integers", 1e300, "real", 1e300, 1e300, "1.0e+300", 1e300, 1e300},
		{"a small number", 1e-300, "real", 1e-300, 1e-300, "1.0e-300", 1e-300, 1e-300},
		{"a number of many digits", 0.1, "real", 0.1, 0.1, "0.1", 0.1, 0.1},
		{"infinity",
			number("Infinity"), "real", number("Infinity"), number("Infinity"), "Inf", number("Infinity"),
			number("Infinity"),
		},
		{"negative infinity",
			number("-Infinity"), "real", number("-Infinity"), number("-Infinity"), "-Inf", number("-Infinity"),
			number("-Infinity"),
		},
		{"NaN", number("NaN"), "null", nil, nil, nil, nil, nil},
		{"null", nil, "null", nil, nil, nil, nil, nil},
		{"text", "é😀", "text", "é😀", "é😀", "é😀", "é😀", "é😀"},
		{"text with a NUL", "a\x00b", "text", "a\x00b", "a\x00b", "a\x00b", "a\x00b", "a\x00b"},
		{"no text", "", "text", "", "", "", "", ""},
		{"digits", "12", "text", 12, 12, "12", "12", 12},
		{"digits with a fraction", "12.50", "text", 12.5, 12.5, "12.50", "12.50", 12.5},
		{"bytes",
			binary("AP8B"), "blob", binary("AP8B"), binary("AP8B"), binary("AP8B"), binary("AP8B"), binary("AP8B"),
		},
		{"no bytes", binary(""), "blob", binary(""), binary(""), binary(""), binary(""), binary("")},
	}
	cases := make([]Case, 0, len(rows))
	for _, r := range rows {
		cases = append(cases, one("sql: "+r.name+" as an argument",
			sql("SELECT typeof(?)", r.arg).gives(row(r.kind)),
			sql("SELECT ?", r.arg).gives(row(r.blob)),
			sql("CREATE TABLE t (a INTEGER, b REAL, c TEXT, d BLOB, e NUMERIC)").is(done),
			sql("INSERT INTO t VALUES (?1, ?1, ?1, ?1, ?1) RETURNING *",
				r.arg,
			).gives(row(r.integer, r.real, r.text, r.blob, r.numeric)),
			sql("SELECT * FROM t").gives(row(r.integer, r.real, r.text, r.blob, r.numeric)),
			sql("SELECT typeof(a), typeof(b), typeof(c), typeof(d), typeof(e) FROM t"),
		))
	}
	return append(cases,
		one("sql: parameters by position", sql("SELECT ?, ?, ?", 1, "b", nil).gives(row(1, "b", nil))),
		one("sql: parameters by number", sql("SELECT ?2, ?1, ?2", 1, 2).gives(row(2, 1, 2))),
		one("sql: parameters by name", sql("SELECT :b, @a, $c, :b", 1, 2, 3).gives(row(1, 2, 3, 1))),
		one("sql: parameters by number and position", sql("SELECT ?2, ?", 1, 2, 3)),
		one("sql: an argument too few", sql("SELECT ?, ?", 1).says(wrongArguments)),
		one("sql: an argument too many", sql("SELECT ?", 1, 2).says(wrongArguments)),
		one("sql: an argument without a parameter", sql("SELECT 1", 1).says(wrongArguments)),
		one("sql: a parameter without an argument", sql("SELECT ?").says(wrongArguments)),
		one("sql: fewer arguments than the highest number", sql("SELECT ?3", 1).says(wrongArguments)),
		one("sql: integers beyond the precision of numbers", sql("SELECT 9007199254740993, 9223372036854775807")),
		one("sql: text from an integer", sql("SELECT CAST(9007199254740993 AS TEXT)").gives(row("9007199254740993"))),
		one("sql: an expression's value",
			sql("SELECT 1 + 1, 1 + 1.0, 7 / 2, 7 / 2.0, 'a' || 'b', x'00ff', NULL, 1 = 1").
				gives(row(2, 2, 3, 3.5, "ab", binary("AP8="), nil, 1)),
		),
		one("sql: an argument divides as a REAL", sql("SELECT 7 / ?", 2).gives(row(3.5))),
		one("sql: the limit of a query", sql("SELECT column1 FROM (VALUES (1), (2), (3)) LIMIT ?", 2)),
		one("sql: an argument finds an integer",
			sql("CREATE TABLE t (n INTEGER, x)"), sql("INSERT INTO t VALUES (5, 5), ('5', '5')"),
			sql("SELECT count(*) FROM t WHERE n = ?", 5).gives(row(2)),
			sql("SELECT count(*) FROM t WHERE x = ?", 5).gives(row(1)),
			sql("SELECT count(*) FROM t WHERE n = ?", "5").gives(row(2)),
			sql("SELECT count(*) FROM t WHERE x = ?", "5").gives(row(1)),
		),
		one("sql: true as an argument", boolArgument(true, "true", 1)...),
		one("sql: false as an argument", boolArgument(false, "false", 0)...),
		one("sql: the text of a time",
			sql("SELECT datetime('2030-01-02 15:04:05.060Z'), unixepoch('2030-01-02 15:04:05.060Z', 'subsec')").
				gives(row("2030-01-02 15:04:05", 1893596645.06)),
			sql("SELECT strftime('%Y-%m-%d %H:%M:%fZ', '2030-01-02 15:04:05.06')").
				gives(row("2030-01-02 15:04:05.060Z")),
		),
	)
}

// boolArgument binds arg, which is text on the platform and a number here.
func boolArgument(arg bool, text string, number int) []Op {
	return []Op{
		sql("SELECT typeof(?)", arg).differs(rows(row("text")), rows(row("real"))),
		sql("SELECT ?", arg).differs(rows(row(text)), rows(row(number))),
		sql("SELECT ? = TRUE", arg).differs(rows(row(0)), rows(row(number))),
		sql("CREATE TABLE t (a INTEGER, b)").is(done),
		sql("INSERT INTO t VALUES (?1, ?1) RETURNING *", arg).
			differs(rows(row(text, text)), rows(row(number, number))),
	}
}
