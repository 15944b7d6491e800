package durabletest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"devtool.internal/durable"
	"devtool.internal/durabletest"
)

// More than fits into a frame of the protocol is stored all the same, or nothing of it.
func TestPutManyStoresMoreThan16MiBOrNothing(t *testing.T) {
	t.Parallel()
	srv := durabletest.Start(t, worker, durabletest.Options{Dir: "testdata/lab"})
	many := func(last int) map[string]any {
		values := map[string]any{"z": strings.Repeat("z", last)}
		for i := range 11 {
			values[fmt.Sprint("k", i)] = strings.Repeat("x", 1_900_000)
		}
		return values
	}
	for name, test := range map[string]struct {
		last, want int
	}{"all": {1000, 12}, "nothing": {3 << 20, 0}} {
		durabletest.Run(t, srv.Object("Lab", name), func(ctx context.Context, _ *Lab, state *durable.State) {
			if err := state.Storage.PutMany(ctx, many(test.last)); (err == nil) != (test.want > 0) {
				t.Errorf("%s: put: %v", name, err)
			}
			entries, err := state.Storage.List(ctx, durable.ListOptions{})
			if err != nil || len(entries) != test.want {
				t.Errorf("%s: got %d entries, %v, want %d", name, len(entries), err, test.want)
			}
		})
	}
}
