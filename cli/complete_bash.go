package cli

import (
	"bytes"
	"context"
	"strings"
	"unicode"
)

// bash replaces only a part of the word before the cursor: what follows the last character of
// COMP_WORDBREAKS, such as ":" or an opening quote. It inserts a candidate as it stands. So devtool
// gets the line, cuts it into words itself, and prints candidates without the part that stays, in
// the quotes that are open.

// completeBash prints the candidates for the end of line. word is the part of it that bash will
// replace.
func completeBash(ctx context.Context, s Streams, b *bytes.Buffer, line, word string) {
	words, last := splitBash(line)
	if len(words) == 0 || last.expanded || !strings.HasSuffix(line, word) {
		offered{mode: modeFiles}.writeMode(b) // as bash does without a completion
		return
	}
	o := offers(ctx, s, words[1:], last.text)
	if o.mode == modeProgram && len(words) > o.skip {
		o.mode = modeFiles // of the program's arguments
	}
	if o.mode == modeProgram {
		b.WriteString(modeProgram + "\n")
		return
	}
	o.writeMode(b)

	prefix := "" // which the candidates lack
	if name, _, attached := strings.Cut(last.text, "="); attached && looksLikeFlag(name) {
		prefix = name + "="
	}
	// What stays of the word decides how the rest is quoted.
	_, stays := splitBash(line[:len(line)-len(word)])
	if len(line)-len(word) <= last.start {
		stays = bashWord{}
	}
	for _, c := range o.candidates {
		text := prefix + c.text
		if !strings.HasPrefix(text, last.text) || !strings.HasPrefix(text, stays.text) {
			continue
		}
		b.WriteString(quoteBash(text[len(stays.text):], stays.quote) + "\n")
	}
}

// A bashWord is the last word of a line, which may be incomplete.
type bashWord struct {
	text     string // without quotes
	start    int    // offset in the line
	quote    byte   // the open quote: ', " or 0
	expanded bool   // bash would replace a part of it, such as $HOME
}

// splitBash splits a line into the words of its last command, without quotes, as bash does. It
// expands nothing. The last word is not among words, and may be empty.
func splitBash(line string) (words []string, last bashWord) {
	inWord := false
	end := func(next int) {
		if inWord {
			words = append(words, last.text)
		}
		inWord, last = false, bashWord{start: next}
	}
	var text strings.Builder
	add := func(c byte) {
		text.WriteByte(c)
		last.text, inWord = text.String(), true
	}
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case last.quote == '\'':
			if c == '\'' {
				last.quote = 0
			} else {
				add(c)
			}
		case c == '\\':
			if i+1 == len(line) {
				break // what it quotes is not typed yet
			}
			i++
			if last.quote == '"' && !strings.ContainsRune("\\\"$`", rune(line[i])) {
				add(c)
			}
			add(line[i])
		case last.quote == '"' && c == '"':
			last.quote = 0
		case last.quote == 0 && (c == '\'' || c == '"'):
			last.quote, inWord = c, true
		case c == '$' || c == '`':
			last.expanded = true
			add(c)
		case last.quote == '"':
			add(c)
		case strings.IndexByte(" \t\n", c) >= 0:
			end(i + 1)
			text.Reset()
		case strings.IndexByte("|&;()<>", c) >= 0:
			end(i + 1)
			text.Reset()
			words = nil
		default:
			add(c)
		}
	}
	return words, last
}

// quoteBash returns text as it must stand in a line of bash after the open quote. bash closes that
// quote after the only candidate, unless this ends with the same character.
func quoteBash(text string, open byte) string {
	quoted := ""
	switch open {
	case '\'':
		quoted = strings.ReplaceAll(text, "'", `'\''`)
	case '"':
		// A backslash would not keep bash from looking up "!" in its history.
		quoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`", "!", `"'!'"`).Replace(text)
	default:
		for _, r := range text {
			if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_./,+@%:=-", r) {
				quoted += `\`
			}
			quoted += string(r)
		}
		return quoted
	}
	if strings.HasSuffix(quoted, string(open)) {
		quoted += string(open)
	}
	return quoted
}
