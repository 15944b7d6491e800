package world

import (
	"container/list"
	"sync"
)

// maxStores is how many objects' files may be open at the same time. Each costs two file
// descriptors and some 150 KB.
const maxStores = 256

// stores knows which objects have their file open. When there are too many, it closes the file that
// was not used for the longest time. The next use opens the file again.
type stores struct {
	max int

	mu    sync.Mutex
	order list.List // of *object, the most recently used in front
	at    map[*object]*list.Element
}

// touch notes that o, whose storeMu is held, uses its file.
func (s *stores) touch(o *object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.at[o]; e != nil {
		s.order.MoveToFront(e)
		return
	}
	if s.at == nil {
		s.at = make(map[*object]*list.Element)
	}
	s.at[o] = s.order.PushFront(o)
	for e := s.order.Back(); e != nil && len(s.at) > s.max; {
		previous := e.Prev()
		s.tryClose(e.Value.(*object))
		e = previous
	}
}

// tryClose closes the file of an object, unless it is in use or has state that closing would lose.
func (s *stores) tryClose(o *object) {
	if !o.storeMu.TryLock() {
		return
	}
	defer o.storeMu.Unlock()
	if o.store == nil || !o.mayClose() {
		return
	}
	if err := o.store.CloseOrRemove(); err != nil {
		o.ns.w.log.Error("close "+o.String(), "err", err)
	}
	o.store, o.fileLost, o.logLost = nil, false, false
	s.forgetLocked(o)
	o.forgetLingering()
}

// open returns the objects that have their file open, in no order.
func (s *stores) open() []*object {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := make([]*object, 0, len(s.at))
	for o := range s.at {
		open = append(open, o)
	}
	return open
}

// closeLingering closes the files of the objects that an advance has evicted. It is called when the
// advance has ended.
func (s *stores) closeLingering() {
	for _, o := range s.open() {
		o.storeMu.Lock()
		if o.lingers && !o.inUse() {
			o.closeUnused()
			o.forgetLingering()
		}
		o.storeMu.Unlock()
	}
}

// inUse reports whether o is pinned. If it is, release will start its idle timer.
func (o *object) inUse() bool {
	o.ns.mu.Lock()
	defer o.ns.mu.Unlock()
	return o.pending > 0
}

// forgetLingering makes the namespace forget o, whose lingering file is closed now, unless o is
// pinned. storeMu is held.
func (o *object) forgetLingering() {
	if !o.lingers {
		return
	}
	o.lingers = false
	o.ns.mu.Lock()
	defer o.ns.mu.Unlock()
	if o.pending == 0 && o.ns.objects[o.id] == o {
		delete(o.ns.objects, o.id)
	}
}

func (s *stores) forget(o *object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetLocked(o)
}

func (s *stores) forgetLocked(o *object) {
	if e := s.at[o]; e != nil {
		s.order.Remove(e)
		delete(s.at, o)
	}
}
