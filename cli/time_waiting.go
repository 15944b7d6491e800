package cli

import (
	"context"
	"fmt"
	"io"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
)

func timeWaitingCommand() *command {
	var q question
	return &command{
		name:    "waiting",
		summary: "List what waits for the clock, and until when",
		about: `Lists requests, alarms and other events whose handlers sleep or wait with a timeout,
or have called an object that does.`,
		flags: q.flags(),
		examples: []example{
			{"devtool time waiting", ""},
			{"devtool time waiting --json", "for programs"},
		},
		run: func(ctx context.Context, s Streams, _ []string) error {
			return q.showWaiting(s, func(c *client.Client) (control.Waiting, error) { return c.Waiting(ctx) })
		},
	}
}

func timeSettleCommand() *command {
	var q question
	var limit string
	return &command{
		name:    "settle",
		summary: "Wait until all handlers rest",
		about: `Waits until every handler has ended or waits: for the clock, another object, its turn
or the outside. Then lists what waits for the clock. So a test that moves the clock
afterwards misses no handler on its way to its Sleep. Exits with 1 if a handler does
not come to rest in time, and names it.`,
		flags: append(q.flags(), flag{
			name: "limit", value: "DURATION", target: &limit, usage: "wait that long in real time (default: 10s)",
		}),
		examples: []example{
			{"devtool time settle", ""},
			{"devtool time settle && devtool time advance 10s", ""},
		},
		run: func(ctx context.Context, s Streams, _ []string) error {
			var settle control.SettleRequest
			if limit != "" {
				d, err := parseDuration(limit)
				if err != nil {
					return err
				}
				settle.Limit = d.String()
			}
			return q.showWaiting(s, func(c *client.Client) (control.Waiting, error) { return c.Settle(ctx, settle) })
		},
	}
}

// showWaiting calls ask and shows what waits for the clock.
func (q *question) showWaiting(s Streams, ask func(*client.Client) (control.Waiting, error)) error {
	client, err := q.client(s)
	if err != nil {
		return err
	}
	all, err := ask(client)
	if err != nil {
		return err
	}
	return q.printer(s).print(all, func(w io.Writer) {
		if len(all.Waiting) == 0 {
			fmt.Fprintln(w, "nothing waits for the clock")
			return
		}
		rows := [][]string{{"WAITS", "IN", "UNTIL", ""}}
		for _, waiter := range all.Waiting {
			object := ""
			if waiter.Class != "" {
				object = waiter.Object.String()
			}
			rows = append(rows, []string{
				waiter.String(), object, formatTime(waiter.Until), inText(waiter.Until.Sub(all.Now)),
			})
		}
		table(w, rows...)
	})
}
