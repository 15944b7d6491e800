package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"devtool.internal/durable"
)

// batchBody returns bodies as a JSON array. A body that is not JSON becomes a
// string.
func batchBody(bodies [][]byte) []byte {
	items := make([][]byte, len(bodies))
	for i, body := range bodies {
		items[i] = body
		if !json.Valid(body) {
			items[i], _ = json.Marshal(string(body)) // a string can always be encoded
		}
	}
	return fmt.Appendf(nil, "[%s]", bytes.Join(items, []byte(",")))
}

// send posts a batch to the upstream. Without an upstream it logs the batch.
// durable.HTTPClient sends a request only after everything that the object has
// written so far is committed.
func send(ctx context.Context, upstream string, batch []byte) error {
	if upstream == "" {
		durable.Logger(ctx).Info("batch: " + string(batch))
		return nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, upstream, bytes.NewReader(batch))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := durable.HTTPClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fmt.Errorf("send batch: %s answered %s", upstream, response.Status)
	}
	return nil
}
