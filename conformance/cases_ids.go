package conformance

import (
	"fmt"
	"strings"
)

// idCases cover ids, which both sides must derive alike.
func idCases() []Case {
	vectors := []struct{ name, class string }{
		{"", "Probe"},
		{"a", "Probe"},
		{"a", "Mute"},
		{"A", "Probe"},
		{"grüße 😀", "Probe"},
		{"with a \x00 in it", "Probe"},
		{strings.Repeat("long", 1000), "Probe"},
	}
	cases := make([]Case, 0, len(vectors))
	for _, v := range vectors {
		cases = append(cases, Case{fmt.Sprintf("id: %s %.20q", v.class, v.name), []Op{idFromName(v.name).of(v.class)}})
	}
	return append(cases,
		Case{"id: refused as text", []Op{
			idFromString("").is(refused),
			idFromString("abc").is(refused),
			idFromString(strings.Repeat("g", 64)).is(refused),
			idFromString(strings.Repeat("a", 63)).is(refused),
			idFromString(strings.Repeat("a", 65)).is(refused),
			idFromString(strings.Repeat("a", 64)).is(refused),
			idFromString(" " + strings.Repeat("a", 63)).is(refused),
		}},
		Case{"id: equality", []Op{equalIDs("a").is(true), equalIDs("b").of("Mute").is(true)}},
		Case{"id: seen inside the object", []Op{idFromName("id: seen inside the object"), call(identity())}},
		Case{"id: the name inside the object", []Op{call(nameOfObject().is("id: the name inside the object"))}},
		Case{"id: no name for a unique one", []Op{call(nameOfObject().is(none)).by("unique")}},
		Case{"id: unique ones are other objects", []Op{
			call(put("a", 1)).by("unique"),
			call(get("a").is(none)).by("unique"),
			call(get("a").is(none)),
		}},
		Case{"id: name and digits lead to the same object", []Op{
			call(put("a", 1), count().is(1)),
			call(get("a").is(value(1)), count().is(2)).by("id"),
		}},
		Case{"id: no name when reached by digits", []Op{call(nameOfObject().is(none)).by("id")}},
		Case{"id: the name stays when reached by digits later", []Op{
			call(nameOfObject()),
			call(nameOfObject().is("id: the name stays when reached by digits later")).by("id"),
		}},
		Case{"id: the name is known in an alarm", []Op{
			onAlarm(program(nameOfObject())),
			call(setAlarm(soon)),
			alarms(run(0, 0, "id: the name is known in an alarm")),
		}},
		Case{"id: the name is known in an alarm after idle time", []Op{
			onAlarm(program(nameOfObject())),
			call(setAlarm(idle)),
			alarms(run(0, 0, "id: the name is known in an alarm after idle time")),
		}},
		Case{"id: a name of 1,024 bytes",
			[]Op{call(nameOfObject()).to(strings.Repeat("n", 1024-len("id: a name of 1,024 bytes/")))},
		},
		Case{"id: a name of 1,025 bytes",
			[]Op{call(nameOfObject().is(none)).to(strings.Repeat("n", 1025-len("id: a name of 1,025 bytes/")))},
		},
		Case{"id: with a location hint", []Op{
			call(nameOfObject().is("id: with a location hint"), put("a", 1)).by("hint"),
			call(get("a").is(value(1))),
		}},
		Case{"id: with an unknown location hint", []Op{
			call(get("a").is(none)).by("unknown hint").differs(object{"facts": []any{none}}, refused),
		}},
		Case{"id: of a jurisdiction", []Op{
			call(put("a", 1)),
			call(get("a").is(none)).by("jurisdiction").differs(refused, object{"facts": []any{none}}),
		}},
		Case{"id: of another class", []Op{call(count()).by("foreign").differs(object{"facts": []any{1}}, refused)}},
	)
}
