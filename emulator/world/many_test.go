package world

import (
	"fmt"
	"testing"
	"time"
)

// Worlds are independent of one another. They leave no goroutines behind: TestMain checks that.
func TestAHundredWorldsRunInOneProcess(t *testing.T) {
	const worlds = 100
	var all []*world
	for i := range worlds {
		s := alarmScript(nil)
		s.handlers["alarm"] = func(c *call) (string, error) {
			s.note("%s", c.object)
			return "", c.store("rang", fmt.Sprint(i))
		}
		s.handlers["/rang"] = func(c *call) (string, error) { return c.load("rang"), nil }
		w := newWorld(t, s)
		w.want("a", "/set1s", "")
		all = append(all, w)
	}
	for i, w := range all {
		wantList(t, "fired", w.moveOn(time.Second), []string{"Lab/a ok"})
		w.want("a", "/rang", fmt.Sprint(i))
		if got := w.programs.serving().notes(); got != "a" {
			t.Errorf("world %d: got alarms %q, want one of a", i, got)
		}
	}
	for _, w := range all {
		w.stop()
	}
}
