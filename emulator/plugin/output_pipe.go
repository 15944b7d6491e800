package plugin

import (
	"io"
	"os"
	"os/exec"
)

// An outputPipe carries one of the two outputs of a program.
type outputPipe struct {
	read, write *os.File
	to          *lineWriter
	tail        *tail // gets a copy, unless it is nil
	copied      chan struct{}
}

// newOutputPipe returns a pipe that passes output on to w and t.
func newOutputPipe(w *lineWriter, t *tail) (*outputPipe, error) {
	r, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &outputPipe{read: r, write: in, to: w, tail: t, copied: make(chan struct{})}, nil
}

// start begins to pass output on. The program has its end of the pipe by now.
func (o *outputPipe) start() {
	_ = o.write.Close()
	go func() {
		defer close(o.copied)
		_, _ = io.Copy(o, onlyReader{o.read})
	}()
}

// onlyReader hides the other methods of a file, so that io.Copy uses a buffer.
type onlyReader struct{ io.Reader }

// Write passes output on.
func (o *outputPipe) Write(p []byte) (int, error) {
	if o.tail != nil {
		_, _ = o.tail.Write(p)
	}
	return o.to.Write(p)
}

// finish passes on what the program has printed before it ended, and closes the pipe. Another
// process that still has the other end is not waited for.
func (o *outputPipe) finish() {
	o.drain()
	_ = o.read.Close()
	o.to.flush()
}

// discard closes the pipe of a program that did not start.
func (o *outputPipe) discard() {
	_, _ = o.read.Close(), o.write.Close()
}

// pipeOutputs gives cmd pipes that pass its output on.
func pipeOutputs(cmd *exec.Cmd, stdout, stderr *lineWriter, t *tail) (outputs []*outputPipe, err error) {
	out, err := newOutputPipe(stdout, nil)
	if err != nil {
		return nil, err
	}
	failed, err := newOutputPipe(stderr, t)
	if err != nil {
		out.discard()
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = out.write, failed.write
	return []*outputPipe{out, failed}, nil
}
