package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"

	"devtool.internal/emulator/control"
)

// Report returns the state of the emulator.
func (c *Client) Report(ctx context.Context) (control.Report, error) {
	return quick[control.Report](ctx, c, http.MethodGet, "status")
}

// RestartProgram starts the handler program again from the current build. It returns when the new
// process serves.
func (c *Client) RestartProgram(ctx context.Context) (control.Program, error) {
	return call[control.Program](ctx, c, http.MethodPost, "program/restart", nil)
}

// Logs calls each with every line of the log, unchanged, until there are no more. With Follow, the
// end of the emulator is not an error.
func (c *Client) Logs(ctx context.Context, q control.LogsRequest, each func(line []byte) error) error {
	query := url.Values{"lines": {strconv.Itoa(q.Lines)}, "follow": {strconv.FormatBool(q.Follow)}}
	response, err := c.stream(ctx, http.MethodGet, "logs?"+query.Encode(), control.LinesType)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines := bufio.NewReader(response.Body)
	for {
		line, err := lines.ReadBytes('\n')
		switch {
		case err == nil:
			if err := each(bytes.TrimSuffix(line, []byte("\n"))); err != nil {
				return err
			}
		case ctx.Err() != nil:
			return ctx.Err()
		case q.Follow || err == io.EOF: // the emulator has ended, or was killed
			return nil
		default:
			return c.unreachable(ctx, err)
		}
	}
}

// Stop asks the emulator to end, as Ctrl-C does, and waits until it has ended and released
// everything.
func (c *Client) Stop(ctx context.Context) (control.Status, error) {
	response, err := c.stream(ctx, http.MethodPost, "stop", "application/json")
	if err != nil {
		return control.Status{}, err
	}
	defer response.Body.Close()
	// The connection lasts as long as the emulator.
	body := bufio.NewReader(response.Body)
	line, err := body.ReadBytes('\n')
	if err != nil {
		return control.Status{}, c.unreachable(ctx, err)
	}
	var status control.Status
	if err := json.Unmarshal(line, &status); err != nil {
		return control.Status{}, c.notDevtool(response)
	}
	// An error means the same as the end of the connection: the emulator no longer runs.
	io.Copy(io.Discard, body) //nolint:errcheck // see above
	return status, ctx.Err()
}

// stream sends a request whose answer comes line by line, in this content type.
func (c *Client) stream(ctx context.Context, method, path, kind string) (*http.Response, error) {
	response, err := c.send(ctx, method, path, nil)
	if err != nil {
		return nil, err
	}
	got, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if response.StatusCode == http.StatusOK && got == kind {
		return response, nil
	}
	defer response.Body.Close()
	if response.StatusCode < 400 {
		return nil, c.notDevtool(response)
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	return nil, c.refusal(response, content)
}
