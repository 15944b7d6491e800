package world

import (
	"fmt"

	"devtool.internal/emulator/control"
)

// Reshape is Apply for a layout that gives open classes other names, or takes them away: migrations
// do that. A class that keeps its unique key keeps its objects, with their alarms and their queues.
// A class that l.Drops takes away is closed. Then commit is called, which may move its folder.
//
// No event runs meanwhile. Events that wait to enter a program may wait for objects of any class
// that stays. If a class can't be taken away, or commit fails, the world has what it had before.
func (w *World) Reshape(l Layout, commit func() error) error {
	after, names, dropped := l.reshape(w.currentNamespaces())
	if err := w.retire(dropped); err != nil {
		return err
	}
	if err := commit(); err != nil {
		w.restore(dropped)
		return err
	}
	for ns, name := range names {
		ns.name.Store(&name)
	}
	w.mu.Lock()
	w.namespaces = after
	w.mu.Unlock()
	l.Drops = nil
	return w.Apply(l)
}

// reshape returns the namespaces that l leaves of those before, by class, with their names, and the
// ones that it takes away.
func (l Layout) reshape(before map[string]*Namespace) (
	after map[string]*Namespace, names map[*Namespace]string, dropped []*Namespace,
) {
	keys := make(map[string]*Namespace)
	for _, ns := range before {
		keys[ns.uniqueKey] = ns
	}
	after = make(map[string]*Namespace)
	names = make(map[*Namespace]string)
	for _, class := range l.Classes {
		if ns := keys[class.UniqueKey]; ns != nil {
			after[class.Name], names[ns] = ns, class.Name
		}
	}
	for class, ns := range before {
		switch {
		case names[ns] != "":
		case l.Drops(class, ns.uniqueKey):
			dropped = append(dropped, ns)
		case after[class] == nil:
			after[class] = ns
		}
	}
	return after, names, dropped
}

// retire closes classes for good, unless an event waits for one of their objects.
func (w *World) retire(classes []*Namespace) error {
	for _, ns := range classes {
		if err := ns.retire(); err != nil {
			w.restore(classes)
			return err
		}
	}
	return nil
}

// restore opens the retired ones of classes again. A program with a binding to such a class goes on
// with the same Namespace.
func (w *World) restore(classes []*Namespace) {
	var opened []*Namespace
	for _, ns := range classes {
		if !ns.isRetired() {
			continue
		}
		if err := ns.reopen(); err != nil {
			w.log.Error("open class "+ns.class()+" again", "err", err)
			continue
		}
		opened = append(opened, ns)
	}
	if err := w.loadAlarms(opened); err != nil {
		w.log.Error("load alarms again", "err", err)
	}
}

// retire stops the alarms of the class and closes its files, so that its folder may be moved. It
// fails if an event or a command uses an object, or waits for one.
func (ns *Namespace) retire() error {
	ns.mu.Lock()
	used := len(ns.running) > 0 // by an alarm that waits to enter a program
	for _, o := range ns.objects {
		used = used || o.pending > 0
	}
	if used {
		ns.mu.Unlock()
		return &control.Error{
			Code:    control.CodeMigrations,
			Message: fmt.Sprintf("cannot take class %s away while an event waits for one of its objects", ns.class()),
			Hint:    "try again with r in the terminal of `devtool dev`, or start that again",
		}
	}
	ns.retired = true
	for id, a := range ns.alarms {
		if a.timer != nil {
			a.timer.Stop()
		}
		delete(ns.alarms, id)
	}
	for _, o := range ns.objects {
		if o.idle != nil {
			o.idle.Stop()
			o.idle = nil
		}
	}
	ns.mu.Unlock()
	ns.w.faults.remove(func(f fault) bool { return f.ns == ns })
	return ns.close()
}

// reopen undoes retire.
func (ns *Namespace) reopen() error {
	if err := ns.index.Reopen(ns.dir); err != nil {
		return err
	}
	ns.mu.Lock()
	defer ns.mu.Unlock()
	ns.retired = false
	return nil
}

// isRetired reports whether the class was taken away.
func (ns *Namespace) isRetired() bool {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	return ns.retired
}
