package emulator

import (
	"testing"

	"devtool.internal/config"
)

// A file of the configuration that changes while the configuration is read is read again.
func TestAConfigurationThatChangesWhileItIsReadIsReadAgain(t *testing.T) {
	loads, changes := 0, func() {}
	w := newStoppedWorld(t, func(o *Options) {
		load := o.Load
		o.Load = func() (*config.Config, error) {
			loads++
			changes()
			return load()
		}
	})
	w.startEngine()
	r, err := w.newReloader()
	if err != nil {
		t.Fatal(err)
	}
	defer r.stop()
	loads, r.stale = 0, true
	changes = func() {
		if loads == 1 {
			r.files.changes <- []string{w.currentSettings().path}
		}
	}
	r.build(t.Context()) //nolint:errcheck // there is no program to build
	if loads != 2 {
		t.Errorf("the configuration was read %d times, want twice", loads)
	}
}
