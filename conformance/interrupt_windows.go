package conformance

import "os"

// interrupt kills a process, because Windows can't ask it to end.
func interrupt(p *os.Process) error { return p.Kill() }
