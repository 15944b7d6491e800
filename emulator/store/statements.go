package store

import "container/list"

// maxCachedSQL bounds the statements that are kept prepared, by the bytes of their texts. Source:
// workerd.
const maxCachedSQL = 1 << 20

// prepared is a prepared statement of the user. Its cursor owns it while it runs, and the cache
// otherwise.
type prepared struct {
	statement
	effects effects
	text    string // its key in the cache, or "" if it can't be used again
	indexes int64  // how many the table has that it inserts into
}

// statements is a cache of idle statements, one for each text. It drops the least recently used
// ones first. The zero value is empty.
type statements struct {
	byText map[string]*list.Element
	recent list.List // of *prepared, the most recently used first
	size   int       // bytes of the texts
}

// take removes and returns the idle statement of a text, or nil.
func (c *statements) take(text string) *prepared {
	element := c.byText[text]
	if element == nil {
		return nil
	}
	return c.remove(element)
}

// give returns a statement to the cache. It finalizes a statement that can't be kept.
func (c *statements) give(s *prepared) {
	if s.text == "" || len(s.text) > maxCachedSQL || c.byText[s.text] != nil {
		s.finalize()
		return
	}
	s.reset()
	if c.byText == nil {
		c.byText = map[string]*list.Element{}
	}
	c.byText[s.text] = c.recent.PushFront(s)
	c.size += len(s.text)
	for c.size > maxCachedSQL {
		c.remove(c.recent.Back()).finalize()
	}
}

// clear finalizes all.
func (c *statements) clear() {
	for c.recent.Len() > 0 {
		c.remove(c.recent.Back()).finalize()
	}
}

func (c *statements) remove(element *list.Element) *prepared {
	s := c.recent.Remove(element).(*prepared)
	delete(c.byText, s.text)
	c.size -= len(s.text)
	return s
}
