package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"devtool.internal/emulator/control"
)

func stopCommand() *command {
	var q question
	return &command{
		name:    "stop",
		summary: "End the emulator that runs, and wait until it has ended",
		about: `The emulator ends as with Ctrl-C: handlers that work get three seconds to finish, or the
time of ` + "`dev --grace`" + `. When the command returns, the state and the port are free.`,
		flags: q.flags(),
		examples: []example{
			{"devtool stop", ""},
			{"devtool stop --url http://localhost:8788", "one of several"},
		},
		run: func(ctx context.Context, s Streams, _ []string) error {
			client, err := q.client(s)
			if err != nil {
				return nothingToStop(err)
			}
			stopped, err := client.Stop(ctx)
			if err != nil {
				return nothingToStop(err)
			}
			return q.printer(s).print(stopped, func(w io.Writer) {
				fmt.Fprintf(w, "stopped %s (%s, process %d)\n", stopped.URL, stopped.Worker, stopped.PID)
			})
		},
	}
}

// nothingToStop leaves out the advice to start an emulator.
func nothingToStop(err error) error {
	refused := (*control.Error)(nil)
	if !errors.As(err, &refused) || refused.Code != control.CodeNoEmulator && refused.Code != control.CodeUnreachable {
		return err
	}
	explained := *refused
	explained.Hint = "there is nothing to stop"
	return &explained
}
