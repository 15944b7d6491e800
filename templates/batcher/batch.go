package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"

	"devtool.internal/durable"
)

// batchBody is a JSON array of bodies: what is JSON as it is, the rest as
// strings.
func batchBody(bodies [][]byte) []byte {
	items := make([][]byte, len(bodies))
	for i, body := range bodies {
		items[i] = body
		if !json.Valid(body) {
			items[i], _ = json.Marshal(string(body)) // a string always can
		}
	}
	return fmt.Appendf(nil, "[%s]", bytes.Join(items, []byte(",")))
}

// send posts a batch to the upstream, or logs it when there is none. A request
// of durable.HTTPClient leaves only after what was written before it is safe
// on disk.
func send(ctx context.Context, upstream string, batch []byte) error {
	if upstream == "" {
		log.Printf("batch: %s", batch)
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
