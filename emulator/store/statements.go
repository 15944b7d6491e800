package store

import "container/list"

// maxCachedSQL bounds the statements that are kept prepared, by the bytes of their texts. Source: workerd.
const maxCachedSQL = 1 << 20

// prepared is a prepared statement of the user. While it runs, its cursor owns it; else the cache.
type prepared struct {
	statement
	effects effects
	text    string // under which it can be used again, or ""
	indexes int64  // of the table that it inserts into
}

// statements keeps idle statements, one of each text; the least recently used ones go first. The zero value is empty.
type statements struct {
	byText map[string]*list.Element
	recent list.List // of *prepared, the last used in front
	size   int
}

// take hands out the idle statement of a text, or nil.
func (c *statements) take(text string) *prepared {
	element := c.byText[text]
	if element == nil {
		return nil
	}
	return c.remove(element)
}

// give takes a statement back. It is finalized if it can't be kept.
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
