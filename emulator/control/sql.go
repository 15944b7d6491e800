package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// SQLRequest is SQL to run on an object's database: one or more statements. The last statement may
// have parameters, one for each of Args. A Limit of 0 means DefaultRows.
type SQLRequest struct {
	Query string     `json:"query"`
	Args  []SQLValue `json:"args,omitempty"`
	Limit int        `json:"limit,omitempty"`
}

// DefaultRows is the number of returned rows if the request has no limit.
const DefaultRows = 1000

// SQLResult is the result of the last statement. More reports whether it would have returned more
// rows: the statement stops at the limit.
type SQLResult struct {
	Columns     []string     `json:"columns"`
	Rows        [][]SQLValue `json:"rows"`
	More        bool         `json:"more"`
	RowsRead    int64        `json:"rowsRead"`
	RowsWritten int64        `json:"rowsWritten"`
}

// A SQLValue is a value of a database: V is nil, int64, float64, string or []byte.
//
// In JSON an INTEGER is a number without fraction and exponent, exact to the last digit. A REAL is
// a number with either. A TEXT is a string, and NULL is null. A value that JSON cannot express is
// an object with its type, as in an Entry:
//
//	{"type": "bytes", "value": "aGk="}  a BLOB, in base64
//	{"type": "text", "value": "/w=="}   a TEXT that is not UTF-8, in base64
//	{"type": "real", "value": "Inf"}    a REAL that is infinite, or "-Inf"
//
// An argument may also be true or false, which are 1 and 0 in SQL.
type SQLValue struct{ V any }

// Types of a SQLValue that is written as an object, besides TypeBytes.
const (
	TypeText = "text"
	TypeReal = "real"
)

type markedValue struct {
	Type  string `json:"type"`
	Value any    `json:"value"`
}

// MarshalJSON returns an error if V has another type.
func (v SQLValue) MarshalJSON() ([]byte, error) {
	var shown any
	switch x := v.V.(type) {
	case nil, int64:
		shown = x
	case float64:
		if !math.IsInf(x, 0) {
			return []byte(FormatReal(x)), nil
		}
		shown = markedValue{TypeReal, FormatReal(x)}
	case string:
		shown = x
		if !utf8.ValidString(x) {
			shown = markedValue{TypeText, []byte(x)}
		}
	case []byte:
		if x == nil {
			x = []byte{}
		}
		shown = markedValue{TypeBytes, x}
	default:
		return nil, fmt.Errorf("a %T is not a value of SQL", v.V)
	}
	return json.Marshal(shown)
}

// FormatReal formats a REAL so that it differs from an INTEGER: 1.0 instead of 1.
func FormatReal(f float64) string {
	switch {
	case math.IsInf(f, 0):
		return strings.TrimPrefix(fmt.Sprint(f), "+")
	case math.IsNaN(f): // SQL has no NaN
		return "null"
	}
	text := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return text
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (v *SQLValue) UnmarshalJSON(text []byte) (err error) {
	text = bytes.TrimSpace(text)
	switch {
	case len(text) == 0:
		return errors.New("a value is missing")
	case text[0] == '{':
		v.V, err = parseMarked(text)
		return err
	case text[0] == '[':
		return errors.New("a list is not a value of SQL: pass it as text")
	case text[0] == '-' || '0' <= text[0] && text[0] <= '9':
		v.V, err = parseNumber(string(text))
		return err
	}
	if err := json.Unmarshal(text, &v.V); err != nil {
		return err
	}
	if truth, ok := v.V.(bool); ok {
		v.V = int64(0)
		if truth {
			v.V = int64(1)
		}
	}
	return nil
}

// parseNumber parses an INTEGER or a REAL. It refuses a number that would lose digits.
func parseNumber(text string) (any, error) {
	if strings.ContainsAny(text, ".eE") {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("%s is too large for a number of SQL", text)
		}
		return f, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%s is too large for an integer of SQL: pass it as text", text)
	}
	return n, nil
}

func parseMarked(text []byte) (any, error) {
	var marked struct {
		Type  string          `json:"type"`
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(text, &marked); err != nil {
		return nil, err
	}
	var content []byte
	switch marked.Type {
	case TypeBytes, TypeText:
		if err := json.Unmarshal(marked.Value, &content); err != nil || content == nil {
			return nil, fmt.Errorf("the value of type %s is not a string in base64", marked.Type)
		}
	case TypeReal:
		switch string(marked.Value) {
		case `"Inf"`:
			return math.Inf(1), nil
		case `"-Inf"`:
			return math.Inf(-1), nil
		}
		return nil, errors.New(`the value of type real is neither "Inf" nor "-Inf"`)
	default:
		return nil, fmt.Errorf("%q is not a type of values: they are bytes, text and real", marked.Type)
	}
	if marked.Type == TypeText {
		return string(content), nil
	}
	return content, nil
}

// AbortRequest says why an object is reset. An empty Reason means a text that names the command.
// With DropAlarm, the running alarm is not tried again.
type AbortRequest struct {
	Reason    string `json:"reason,omitempty"`
	DropAlarm bool   `json:"dropAlarm,omitempty"`
}
