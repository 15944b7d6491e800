package conformance

// listCases cover list and its options.
func listCases() []Case {
	fill := putMany(object{"a": 1, "b": 2, "b:1": 3, "b:2": 4, "c": 5})
	rows := []struct {
		name    string
		options object
		want    any
	}{
		{"no options", nil, pairs("a", 1, "b", 2, "b:1", 3, "b:2", 4, "c", 5)},
		{"start is included", object{"start": "b"}, pairs("b", 2, "b:1", 3, "b:2", 4, "c", 5)},
		{"start between keys", object{"start": "b:"}, pairs("b:1", 3, "b:2", 4, "c", 5)},
		{"start after all", object{"start": "d"}, pairs()},
		{"startAfter is not included", object{"startAfter": "b"}, pairs("b:1", 3, "b:2", 4, "c", 5)},
		{"startAfter between keys", object{"startAfter": "b:"}, pairs("b:1", 3, "b:2", 4, "c", 5)},
		{"startAfter the last", object{"startAfter": "c"}, pairs()},
		{"end is not included", object{"end": "b:1"}, pairs("a", 1, "b", 2)},
		{"end between keys", object{"end": "bb"}, pairs("a", 1, "b", 2, "b:1", 3, "b:2", 4)},
		{"end before all", object{"end": "A"}, pairs()},
		{"start and end", object{"start": "b", "end": "c"}, pairs("b", 2, "b:1", 3, "b:2", 4)},
		{"startAfter and end", object{"startAfter": "b", "end": "c"}, pairs("b:1", 3, "b:2", 4)},
		{"start equal to end", object{"start": "b", "end": "b"}, pairs()},
		{"start after end", object{"start": "c", "end": "b"}, pairs()},
		{"startAfter equal to end", object{"startAfter": "b", "end": "b"}, pairs()},
		{"prefix", object{"prefix": "b:"}, pairs("b:1", 3, "b:2", 4)},
		{"prefix that is a key", object{"prefix": "b"}, pairs("b", 2, "b:1", 3, "b:2", 4)},
		{"prefix of nothing", object{"prefix": "bb"}, pairs()},
		{"empty prefix", object{"prefix": "", "limit": 1}, pairs("a", 1)},
		{"prefix and start", object{"prefix": "b", "start": "b:1"}, pairs("b:1", 3, "b:2", 4)},
		{"prefix and start before it", object{"prefix": "b", "start": "a"}, pairs("b", 2, "b:1", 3, "b:2", 4)},
		{"prefix and start after it", object{"prefix": "b", "start": "c"}, pairs()},
		{"prefix and startAfter", object{"prefix": "b", "startAfter": "b"}, pairs("b:1", 3, "b:2", 4)},
		{"prefix and end", object{"prefix": "b", "end": "b:2"}, pairs("b", 2, "b:1", 3)},
		{"prefix and end before it", object{"prefix": "b", "end": "a"}, pairs()},
		{"prefix and end after it", object{"prefix": "b:", "end": "z"}, pairs("b:1", 3, "b:2", 4)},
		{"reverse", object{"reverse": true}, pairs("c", 5, "b:2", 4, "b:1", 3, "b", 2, "a", 1)},
		{"reverse with start", object{"reverse": true, "start": "b:1"}, pairs("c", 5, "b:2", 4, "b:1", 3)},
		{"reverse with startAfter", object{"reverse": true, "startAfter": "b:1"}, pairs("c", 5, "b:2", 4)},
		{"reverse with end", object{"reverse": true, "end": "b:1"}, pairs("b", 2, "a", 1)},
		{"reverse with prefix", object{"reverse": true, "prefix": "b"}, pairs("b:2", 4, "b:1", 3, "b", 2)},
		{"reverse with limit takes the last", object{"reverse": true, "limit": 2}, pairs("c", 5, "b:2", 4)},
		{"limit", object{"limit": 2}, pairs("a", 1, "b", 2)},
		{"limit beyond all", object{"limit": 100}, pairs("a", 1, "b", 2, "b:1", 3, "b:2", 4, "c", 5)},
		{"limit is cut to a whole number", object{"limit": 1.9}, pairs("a", 1)},
		{"limit with start", object{"limit": 1, "start": "b"}, pairs("b", 2)},
		{"limit with prefix", object{"limit": 1, "prefix": "b:"}, pairs("b:1", 3)},
		{"everything at once",
			object{"prefix": "b", "startAfter": "b", "end": "b:9", "reverse": true, "limit": 1}, pairs("b:2", 4),
		},
		{"negative limit", object{"limit": -1}, refused},
		{"start and startAfter", object{"start": "a", "startAfter": "a"}, refused},
	}
	cases := make([]Case, 0, len(rows))
	for _, r := range rows {
		cases = append(cases, one("list: "+r.name, fill, list(r.options).is(r.want)))
	}
	everything, nothing := pairs("a", 1, "b", 2, "b:1", 3, "b:2", 4, "c", 5), pairs()
	return append(cases,
		one("list: limit 0", fill, list(object{"limit": 0}).differs(refused, everything)),
		one("list: empty end", fill, list(object{"end": ""}).differs(nothing, everything)),
		one("list: empty startAfter",
			put("", 0), put("a", 1), list(object{"startAfter": ""}).differs(pairs("a", 1), pairs("", 0, "a", 1)),
		),
		one("list: empty start and startAfter",
			fill, list(object{"start": "", "startAfter": "b:2"}).differs(refused, pairs("c", 5)),
		),
		one("list: of nothing", list(nil).is(nothing)),
		one("list: by bytes and not by UTF-16", putMany(object{"\ufffd": 1, "😀": 2, "z": 3, "é": 4}),
			list(nil).is(pairs("z", 3, "é", 4, "\ufffd", 1, "😀", 2))),
		one("list: number keys are text",
			putMany(object{"10": 1, "9": 2, "1": 3}), list(nil).is(pairs("1", 3, "10", 1, "9", 2)),
		),
		one("list: a key comes before the keys it is a prefix of",
			putMany(object{"a": 1, "a\x00": 2, "a ": 3}), list(nil).is(pairs("a", 1, "a\x00", 2, "a ", 3)),
		),
		one("list: prefix beyond ASCII",
			putMany(object{"é1": 1, "é2": 2, "ê": 3}), list(object{"prefix": "é"}).is(pairs("é1", 1, "é2", 2)),
		),
		one("list: prefix that ends with the last byte", putMany(object{"\U0010ffff": 1, "\U0010ffffa": 2, "a": 3}),
			list(object{"prefix": "\U0010ffff"}).is(pairs("\U0010ffff", 1, "\U0010ffffa", 2))),
		one("list: sees what the same handler has put",
			put("a", 1), list(nil).is(pairs("a", 1)), remove("a"), list(nil).is(nothing),
		),
		one("list: 1,000 entries", fillMany(1000, list(nil), list(object{"reverse": true, "limit": 2}))...),
	)
}

// fillMany returns operations that put n entries, followed by others.
func fillMany(n int, then ...Op) []Op {
	var all []Op
	const chunk = 100
	keys := names(n)
	for at := 0; at < n; at += chunk {
		entries := object{}
		for i, key := range keys[at:min(at+chunk, n)] {
			entries[key] = at + i
		}
		all = append(all, putMany(entries).is(done))
	}
	return append(all, then...)
}
