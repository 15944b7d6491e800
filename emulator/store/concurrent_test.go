package store_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"devtool.internal/emulator/store"
)

// A new connection may get the address of one that is just being closed. The test hits that moment
// only now and then.
func TestObjectsAreOpenedWhileOthersAreClosed(t *testing.T) {
	const workers, rounds = 16, 60
	dir := t.TempDir()
	var working sync.WaitGroup
	for worker := range workers {
		working.Go(func() {
			path := filepath.Join(dir, fmt.Sprint(worker))
			for range rounds {
				o, err := store.OpenObject(path, "", false)
				if err != nil {
					t.Error(err)
					return
				}
				if err := errors.Join(o.Put("k", []byte("v")), o.Commit(), o.Close()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	working.Wait()
}
