package conformance

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// goes begins a case: a client of its own sends the program, and hangs up as soon as the trace has
// the word hangUp. The runner is that client, so the handler programs do not know the operation.
func goes(program ...Op) Op { return Op{Name: goesName, Do: program} }

const (
	goesName = "goes"
	hangUp   = "hang up"
)

// leavers divides a program into the operations of clients that hang up, and the others.
func leavers(program []Op) (leaving, others []Op) {
	n := 0
	for n < len(program) && program[n].Name == goesName {
		n++
	}
	return program[:n], program[n:]
}

// do runs a program on a side, after the clients that hang up have done so.
func do(ctx context.Context, side Side, scope string, program []Op) ([]any, error) {
	leaving, program := leavers(program)
	for _, o := range leaving {
		if err := leave(ctx, side, scope, o.Do); err != nil {
			return nil, err
		}
	}
	return side.Do(ctx, scope, program)
}

// leave sends a program, and hangs up when the program has noted hangUp.
func leave(ctx context.Context, side Side, scope string, program []Op) error {
	client, goAway := context.WithCancel(ctx)
	defer goAway()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		side.Do(client, scope, program) //nolint:errcheck // it fails, because the client goes away
	}()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		facts, err := side.Do(ctx, scope, []Op{{Name: "trace"}})
		if err != nil {
			return fmt.Errorf("wait for %q: %w", hangUp, err)
		}
		if words, ok := facts[0].([]any); ok && slices.Contains(words, any(hangUp)) {
			goAway()
			<-answered
			return nil
		}
		select {
		case <-answered:
			return fmt.Errorf("the program was answered before it noted %q", hangUp)
		case <-tick.C:
		}
	}
}
