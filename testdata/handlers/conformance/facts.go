package main

import (
	"cmp"
	"encoding/base64"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"devtool.internal/durable"
)

// describe turns an error into a fact that both runtimes can state: its kind, and the text that a
// case has thrown. Texts of cases begin with "case:".
func describe(err error) fact {
	var flags []string
	if failed := (*durable.Error)(nil); errors.As(err, &failed) {
		for _, flag := range []struct {
			set  bool
			name string
		}{
			{failed.Remote, "remote"},
			{failed.Reset, "reset"},
			{failed.Retryable, "lost"},
			{failed.Overloaded, "overloaded"},
		} {
			if flag.set {
				flags = append(flags, flag.name)
			}
		}
	}
	f := map[string]any{"error": cmp.Or(strings.Join(flags, " "), "refused")}
	if _, why, found := strings.Cut(err.Error(), "case:"); found {
		why, _, _ = strings.Cut(why, "\n")
		f["why"] = "case:" + why
	}
	return f
}

// Values that JSON lacks are encoded as objects with one member: {"$bytes": base64}, {"$date":
// milliseconds}, {"$number": "NaN"} (or "Infinity", "-Infinity") and, for a text of n times x,
// {"$long": n}.

// decode returns the value that v stands for.
func decode(v any) any {
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = decode(v[i])
		}
		return list
	case map[string]any:
		if text, ok := v["$bytes"].(string); ok {
			b, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				panic(err)
			}
			return b
		}
		if ms, ok := v["$date"].(float64); ok {
			return time.UnixMilli(int64(ms)).UTC()
		}
		if text, ok := v["$number"].(string); ok {
			f, err := strconv.ParseFloat(text, 64)
			if err != nil {
				panic(err)
			}
			return f
		}
		if n, ok := v["$long"].(float64); ok {
			return strings.Repeat("x", int(n))
		}
		object := make(map[string]any, len(v))
		for key := range v {
			object[key] = decode(v[key])
		}
		return object
	}
	return v
}

// longText is the length, in units of UTF-16, of the shortest text that encode reduces to its
// length.
const longText = 1000

// encode is the reverse of decode.
func encode(v any) any {
	switch v := v.(type) {
	case []byte:
		return map[string]any{"$bytes": base64.StdEncoding.EncodeToString(v)}
	case time.Time:
		return map[string]any{"$date": v.UnixMilli()}
	case float64:
		switch {
		case math.IsInf(v, 1):
			return map[string]any{"$number": "Infinity"}
		case math.IsInf(v, -1):
			return map[string]any{"$number": "-Infinity"}
		}
	case string:
		if n := len(utf16.Encode([]rune(v))); n >= longText {
			return map[string]any{"$long": n}
		}
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = encode(v[i])
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(v))
		for key := range v {
			object[key] = encode(v[key])
		}
		return object
	}
	return v
}

// entries returns the fact of what List or GetMany returns: pairs of key and value.
func entries(found []durable.Entry) (fact, error) {
	pairs := make([][2]any, len(found))
	for i, e := range found {
		var v any
		if err := e.Decode(&v); err != nil {
			return nil, err
		}
		pairs[i] = [2]any{e.Key, encode(v)}
	}
	return pairs, nil
}
