package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// A Report is how an emulator is getting on.
type Report struct {
	Status
	Clock    Time    `json:"clock"`
	Objects  int     `json:"objects"`  // that store something or are in memory
	InMemory int     `json:"inMemory"` // how many of them are in memory
	Alarms   int     `json:"alarms"`   // that are pending
	Program  Program `json:"program"`
}

// States of a Program.
const (
	ProgramServing  = "serving"  // it takes requests
	ProgramStarting = "starting" // requests wait for it: for the first one, a swap or a restart
	ProgramFailing  = "failing"  // it can't be kept running, or there is none yet that could, and requests fail
)

// Program is the handler program, and what became of the last change of its files.
type Program struct {
	State string `json:"state"`
	// Version counts those that were put in place: 1 is the first, 0 says that there was none yet.
	Version int       `json:"version"`
	Since   time.Time `json:"since,omitzero"` // when that was, in real time
	PID     int       `json:"pid,omitempty"`  // 0 for a program that devtool has not started
	// Crashes says what keeps it from running, if State is ProgramFailing. It is empty if Failure is the reason.
	Crashes string `json:"crashes,omitempty"`
	// Build is the last build that succeeded.
	Build *Build `json:"build,omitempty"`
	// Failure says why the version that serves, if any, is not the last one that was saved; nil when it is.
	Failure *Failure `json:"failure,omitempty"`
}

// Unserved says why there is no program at all, or nil if there is one or none has been tried yet.
func (p Program) Unserved() *Failure {
	if p.State == ProgramFailing && p.Crashes == "" || p.State == ProgramStarting && p.Version == 0 {
		return p.Failure
	}
	return nil
}

// Build is one that succeeded.
type Build struct {
	At         time.Time `json:"at"` // when it was done, in real time
	DurationMS int64     `json:"durationMs"`
}

// A Failure is what was wrong with a change.
type Failure struct {
	At      time.Time `json:"at"`             // real time
	Message string    `json:"message"`        // one line
	Text    string    `json:"text,omitempty"` // all there is to say, as the terminal has shown it, if that is more
}

// A LogRecord is a line of the log: the object that `devtool dev --log-format json` writes. These are the
// fields that every line has, or that say where it is from.
type LogRecord struct {
	Time    time.Time `json:"time"` // real time
	Level   string    `json:"level"`
	Message string    `json:"msg"`
	// Source is SourceHandler or SourceDevtool for what was printed, and empty for what the
	// emulator tells.
	Source string `json:"source,omitempty"`
}

// Sources of a LogRecord.
const (
	SourceHandler = "handler"
	SourceDevtool = "devtool"
)

// LogsRequest says which lines of the log to send: the last Lines of those that are kept, and with
// Follow those that come, until the emulator ends. Negative Lines are all of them.
type LogsRequest struct {
	Lines  int
	Follow bool
}

// Report says how the emulator is getting on.
func (c *Client) Report(ctx context.Context) (Report, error) {
	return quick[Report](ctx, c, http.MethodGet, "status")
}

// RestartProgram starts the handler program anew, from the build that is being served. It returns
// when the new process serves.
func (c *Client) RestartProgram(ctx context.Context) (Program, error) {
	return call[Program](ctx, c, http.MethodPost, "program/restart", nil)
}

// Logs calls each with the lines of the log, as they are, until there are no more. That an emulator which
// is followed ends is no error.
func (c *Client) Logs(ctx context.Context, q LogsRequest, each func(line []byte) error) error {
	query := url.Values{"lines": {strconv.Itoa(q.Lines)}, "follow": {strconv.FormatBool(q.Follow)}}
	response, err := c.stream(ctx, http.MethodGet, "logs?"+query.Encode(), LinesType)
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
func (c *Client) Stop(ctx context.Context) (Status, error) {
	response, err := c.stream(ctx, http.MethodPost, "stop", "application/json")
	if err != nil {
		return Status{}, err
	}
	defer response.Body.Close()
	// The connection lasts as long as the emulator.
	body := bufio.NewReader(response.Body)
	line, err := body.ReadBytes('\n')
	if err != nil {
		return Status{}, c.unreachable(ctx, err)
	}
	var status Status
	if err := json.Unmarshal(line, &status); err != nil {
		return Status{}, c.stranger(response)
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

// Since says when something began, for people who look at it at now: the time of day, and the date if that
// was not today.
func Since(began, now time.Time) string {
	began, now = began.Local(), now.Local()
	if began.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return began.Format(time.TimeOnly)
	}
	return fmt.Sprintf("%s, %s", began.Format(time.TimeOnly), began.Format(time.DateOnly))
}
