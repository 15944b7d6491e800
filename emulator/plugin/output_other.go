//go:build !unix

package plugin

import "time"

// outputDelay bounds the wait for the output of a process that has ended. A descendant may still
// hold the output open.
const outputDelay = 2 * time.Second

// drain waits for the end of the output.
func (o *outputPipe) drain() {
	timer := time.NewTimer(outputDelay)
	defer timer.Stop()
	select {
	case <-o.copied:
	case <-timer.C:
	}
}
