package emulator

import (
	"net/http"

	"devtool.internal/emulator/control"
)

// faultsAPI adds the requests about injected faults.
func (e controlAPI) faultsAPI(handle func(pattern string, f func(*http.Request) (any, error))) {
	handle("GET faults", func(*http.Request) (any, error) { return e.world.Faults(false), nil })
	handle("DELETE faults", func(*http.Request) (any, error) { return e.world.Faults(true), nil })
	handle("POST faults", func(r *http.Request) (any, error) {
		var q control.Fault
		if err := decode(r, &q); err != nil {
			return nil, err
		}
		return e.world.InjectFault(q)
	})
}
