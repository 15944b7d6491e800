package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// get returns a request for path, ready to be sent. Its header Object names an object.
func get(path, object string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nObject: " + object + "\r\n\r\n")
}

// post returns a request that carries body.
func post(path, body string) []byte {
	return []byte("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
		"Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

// A client is one connection that is kept alive. It does as little as possible besides sending and
// reading, because it uses the same processors as the server.
type client struct {
	conn net.Conn
	r    *bufio.Reader
	body bytes.Buffer
}

// dial returns a client whose requests fail when ctx ends.
func dial(ctx context.Context, address string) (*client, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { conn.Close() })
	return &client{conn: conn, r: bufio.NewReader(conn)}, nil
}

// do sends a request and returns the body of its answer, which is valid until the next request. Any
// status but 200 is an error: a server that fails fast is not a fast server.
func (c *client) do(request []byte) ([]byte, error) {
	if _, err := c.conn.Write(request); err != nil {
		return nil, fmt.Errorf("send request: %w", err)
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	defer resp.Body.Close()
	c.body.Reset()
	if _, err := io.Copy(&c.body, resp.Body); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		line, _, _ := bytes.Cut(request, []byte("\r\n"))
		return nil, fmt.Errorf("%s was answered with %s: %s", line, resp.Status, bytes.TrimSpace(c.body.Bytes()))
	}
	return c.body.Bytes(), nil
}

// parallel calls work with one client for each connection, each in its own goroutine. The first
// error ends all of them.
func parallel(ctx context.Context, address string, connections int, work func(n int, c *client) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for n := range connections {
		all.Go(func() {
			c, err := dial(ctx, address)
			if err == nil {
				err = work(n, c)
			}
			if err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// rate sends request(n) on connection n, again and again, each after the previous answer. It
// returns the number of answers per second during duration, after a quarter of that to warm up.
func rate(
	ctx context.Context, address string, connections int, duration time.Duration, request func(n int) []byte,
) (float64, error) {
	begin := time.Now().Add(duration / 4)
	end := begin.Add(duration)
	var answered atomic.Int64
	err := parallel(ctx, address, connections, func(n int, c *client) error {
		r := request(n)
		count := int64(0)
		for {
			if _, err := c.do(r); err != nil {
				return err
			}
			now := time.Now()
			if now.After(end) {
				answered.Add(count)
				return nil
			}
			if now.After(begin) {
				count++
			}
		}
	})
	return float64(answered.Load()) / duration.Seconds(), err
}

// each sends request(0) to request(total-1), each once, and returns how long that took.
func each(
	ctx context.Context, address string, connections, total int, request func(i int) []byte,
) (time.Duration, error) {
	var next atomic.Int64
	begin := time.Now()
	err := parallel(ctx, address, connections, func(_ int, c *client) error {
		for {
			i := int(next.Add(1)) - 1
			if i >= total {
				return nil
			}
			if _, err := c.do(request(i)); err != nil {
				return err
			}
		}
	})
	return time.Since(begin), err
}

// one sends a single request and returns the body of its answer.
func one(ctx context.Context, address string, request []byte) (answer string, err error) {
	err = parallel(ctx, address, 1, func(_ int, c *client) error {
		b, err := c.do(request)
		answer = string(b)
		return err
	})
	return answer, err
}
