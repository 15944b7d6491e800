package wire

import (
	"bytes"
	"fmt"
	"strconv"
)

// A program that the emulator has started may print on its standard error which event and object a
// line is from: in front of the line, as a control string that terminals do not show,
//
//	ESC _ devtool: EVENT OBJECT ESC \
//
// OBJECT is CLASS/NAME or CLASS/ID as a quoted string of Go in ASCII, or "" for the worker. Unlike
// a notice, such a line is not lost however the program ends, and keeps its place among others.
const (
	printedMark = "\x1b_devtool:"
	printedEnd  = "\x1b\\"
)

// MarkPrinted returns text with a mark in front of each of its lines.
func MarkPrinted(event uint64, object string, text []byte) []byte {
	mark := fmt.Sprintf("%s%d %s%s", printedMark, event, strconv.QuoteToASCII(object), printedEnd)
	var b []byte
	for line := range bytes.Lines(text) {
		b = append(append(b, mark...), line...)
	}
	return b
}

// CutPrinted removes the first mark of text. Before and after are the text around it. It reports
// false if text has no mark, and before is then all of text.
func CutPrinted(text []byte) (before []byte, event uint64, object string, after []byte, marked bool) {
	for from := 0; ; {
		i := bytes.Index(text[from:], []byte(printedMark))
		if i < 0 {
			return text, 0, "", nil, false
		}
		begin := from + i
		from = begin + len(printedMark)
		inner, after, ended := bytes.Cut(text[from:], []byte(printedEnd))
		if !ended {
			return text, 0, "", nil, false
		}
		number, quoted, _ := bytes.Cut(inner, []byte(" "))
		event, err := strconv.ParseUint(string(number), 10, 64)
		if err != nil {
			continue
		}
		if object, err := strconv.Unquote(string(quoted)); err == nil {
			return text[:begin], event, object, after, true
		}
	}
}
