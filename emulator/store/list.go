package store

import (
	"errors"
	"fmt"
)

// ListOptions selects keys as the platform's list() does. All conditions apply together; bounds
// that exclude each other select nothing. Reverse only reverses the order of the selected keys.
type ListOptions struct {
	Start         string // the first key
	HasStart      bool
	StartAfter    string // the key before the first; not together with Start
	HasStartAfter bool
	End           string // the key after the last
	HasEnd        bool
	Prefix        string
	Reverse       bool
	Limit         int // number of entries, 0 for all
}

// Entry is a key with its value.
type Entry struct {
	Key   string
	Value []byte
}

// List returns the selected entries, ordered by the bytes of their keys. It stops before keys and
// values would exceed maxBytes in all, but returns at least one entry. more then reports that
// others follow within the selection and its limit. They start after (in reverse, end at) the last
// key returned.
func (o *Object) List(l ListOptions, maxBytes int) (entries []Entry, more bool, err error) {
	fail := func(err error) ([]Entry, bool, error) { return nil, false, fmt.Errorf("list keys: %w", err) }
	if err := o.usable(); err != nil {
		return fail(err)
	}
	from, to, bounded, err := l.bounds()
	if err != nil {
		return fail(err)
	}
	limit := l.Limit
	if limit == 0 {
		limit = -1 // none, to SQLite
	}

	free := max(maxBytes, 0)
	visit := func(r row) bool {
		size := r.size(0) + r.size(1)
		if size > free && len(entries) > 0 {
			more = true
			return false
		}
		free -= size // below 0 if the first entry alone is too large
		entries = append(entries, Entry{Key: r.text(0), Value: r.blob(1)})
		return true
	}
	args := []value{integer(int64(limit)), text(from)}
	if bounded {
		args = append(args, text(to))
	}
	if err := o.db.each(listQuery(bounded, l.Reverse), visit, args...); err != nil {
		return fail(err)
	}
	return entries, more, nil
}

// bounds reduces the options to one range of keys: from inclusive, and to exclusive if bounded.
func (l ListOptions) bounds() (from, to string, bounded bool, err error) {
	if l.HasStart && l.HasStartAfter {
		return "", "", false, errors.New("start and startAfter are both given: give one of them")
	}
	if l.Limit < 0 {
		return "", "", false, fmt.Errorf("limit is %d: it must be positive", l.Limit)
	}
	from = l.Prefix
	if l.HasStart {
		from = max(from, l.Start)
	}
	if l.HasStartAfter {
		from = max(from, l.StartAfter+"\x00") // no key lies between the two
	}
	to, bounded = prefixEnd(l.Prefix)
	if l.HasEnd && (!bounded || l.End < to) {
		to, bounded = l.End, true
	}
	return from, to, bounded, nil
}

// prefixEnd returns the least key that is greater than every key with the prefix, if there is one.
func prefixEnd(prefix string) (end string, bounded bool) {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			return prefix[:i] + string([]byte{prefix[i] + 1}), true
		}
	}
	return "", false
}

// listQuery returns one of four fixed texts, because the engine keeps statements prepared by text.
func listQuery(bounded, reverse bool) string {
	switch {
	case bounded && reverse:
		return "SELECT key, value FROM _cf_KV WHERE key >= ?2 AND key < ?3 ORDER BY key DESC LIMIT ?1"
	case bounded:
		return "SELECT key, value FROM _cf_KV WHERE key >= ?2 AND key < ?3 ORDER BY key LIMIT ?1"
	case reverse:
		return "SELECT key, value FROM _cf_KV WHERE key >= ?2 ORDER BY key DESC LIMIT ?1"
	default:
		return "SELECT key, value FROM _cf_KV WHERE key >= ?2 ORDER BY key LIMIT ?1"
	}
}
