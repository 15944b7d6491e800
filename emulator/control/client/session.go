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

// Report says how the emulator is getting on.
func (c *Client) Report(ctx context.Context) (control.Report, error) {
	return quick[control.Report](ctx, c, http.MethodGet, "status")
}

// RestartProgram starts the handler program anew, from the build that is being served. It returns
// when the new process serves.
func (c *Client) RestartProgram(ctx context.Context) (control.Program, error) {
	return call[control.Program](ctx, c, http.MethodPost, "program/restart", nil)
}

// Logs calls each with the lines of the log, as they are, until there are no more. That an emulator
// which is followed ends is no error.
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
		case q.Follow || err == io.EOF: // it has ended, and maybe not in good order
			return nil
		default:
			return c.unreachable(ctx, err)
		}
	}
}

// Stop asks the emulator to end, as Ctrl-C does, and waits until it has: what it held is free then.
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
		return control.Status{}, c.stranger(response)
	}
	// Whatever breaks it, nobody is at its other end any more.
	io.Copy(io.Discard, body) //nolint:errcheck // as said
	return status, ctx.Err()
}

// stream sends a request whose answer comes bit by bit, in this content type.
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
		return nil, c.stranger(response)
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	return nil, c.refusal(response, content)
}
