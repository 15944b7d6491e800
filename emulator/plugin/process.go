package plugin

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"devtool.internal/internal/printable"
)

// defaultGrace is how long a program may take to end after Stop.
const defaultGrace = 2 * time.Second

// LaunchOptions describes the program to launch.
type LaunchOptions struct {
	Binary string   // program to run
	Dir    string   // its working folder; "" means that of this process
	Env    []string // its whole environment; nil means that of this process

	// Stdout and Stderr receive the program's output, in whole lines where possible. They may be
	// the same writer, and are never written to at the same time. Nil drops the output. Errors of
	// the writers are ignored, and the program runs on.
	Stdout, Stderr io.Writer

	// UserStack, unless it is nil, returns the part of stacks that Stderr gets when the program
	// crashes: without frames of the SDK and of the runtime. broken says that the runtime has found
	// the failure. CrashFile, unless it is empty, is the file for the whole report then.
	UserStack func(stacks string, broken bool) string
	CrashFile string

	// Grace is how long, in real time, Stop lets the program end by itself. Zero means two seconds.
	Grace time.Duration

	// endpoint replaces newEndpoint in tests.
	endpoint func() (*endpoint, error)
}

// Process is a launched program. Its methods may be called at any time and from any goroutine.
type Process struct {
	group *group
	link  string // the program's private name
	pid   int
	grace time.Duration
	tail  tail
	crash *crashFilter
	conn  net.Conn

	done chan struct{}
	err  error // set before done is closed
}

// Launch starts a program and returns when [Process.Conn] is connected to it. When ctx ends, Launch
// stops the program as [Process.Stop] does.
//
// The program runs from a private hard link `<Binary>-<n>`, or a copy where links are not possible,
// so a build may replace Binary meanwhile. The link is removed when the program has ended. The
// program leads a process group of its own. When it has ended, for whatever reason, the rest of the
// group is killed.
//
// Nothing of the program outlives the emulator, because the connection closes even when the
// emulator is killed. The program ends when the connection does, and kills its group.
func Launch(ctx context.Context, o LaunchOptions) (*Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("launch %s: %w", o.Binary, context.Cause(ctx))
	}
	if o.endpoint == nil {
		o.endpoint = newEndpoint
	}
	binary, err := filepath.Abs(o.Binary)
	if err != nil {
		return nil, fmt.Errorf("find program %s: %w", o.Binary, err)
	}
	end, err := o.endpoint()
	if err != nil {
		return nil, fmt.Errorf("launch %s: %w", o.Binary, err)
	}
	link, err := privateLink(binary)
	if err != nil {
		end.close()
		return nil, err
	}
	p := &Process{link: link, grace: o.Grace, done: make(chan struct{})}
	if p.grace == 0 {
		p.grace = defaultGrace
	}

	var outputMu sync.Mutex
	stdout := &lineWriter{w: orDiscard(o.Stdout), mu: &outputMu}
	p.crash = newCrashFilter(orDiscard(o.Stderr), o)
	stderr := &lineWriter{w: p.crash, mu: &outputMu}
	cmd := exec.Command(link)
	cmd.Dir = o.Dir
	cmd.Env = end.environ(o.Env)
	outputs, err := pipeOutputs(cmd, stdout, stderr, &p.tail)
	if err != nil {
		end.close()
		_ = os.Remove(link)
		return nil, fmt.Errorf("start program %s: %w", o.Binary, err)
	}
	if end.file != nil {
		cmd.ExtraFiles = []*os.File{end.file}
	}
	p.group, err = startGroup(cmd)
	if err != nil {
		end.close()
		_ = os.Remove(link)
		for _, o := range outputs {
			o.discard()
		}
		return nil, fmt.Errorf("start program %s: %w", o.Binary, err)
	}
	p.pid = cmd.Process.Pid
	if end.file != nil {
		_ = end.file.Close()
	}
	for _, o := range outputs {
		o.start()
	}
	go p.supervise(outputs)

	if err := p.connect(ctx, end); err != nil {
		return nil, fmt.Errorf("connect to program %s: %w", o.Binary, err)
	}
	go func() {
		select {
		case <-ctx.Done():
			p.Stop()
		case <-p.done:
		}
		<-p.done
		endReading(p.conn)
	}()
	return p, nil
}

// connect waits for the program's connection. It kills the program if there is none.
func (p *Process) connect(ctx context.Context, end *endpoint) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-p.done:
			cancel(p.endedEarly())
		case <-ctx.Done():
		}
	}()
	if p.conn, err = end.accept(ctx); err != nil {
		p.group.kill()
		<-p.done
	}
	return err
}

// endedEarly returns the error for a program that ended without connecting.
func (p *Process) endedEarly() error {
	how := "exit status 0"
	if p.err != nil {
		how = p.err.Error()
	}
	lines := strings.Split(strings.TrimSpace(p.Tail()), "\n")
	if last := printable.Line(lines[len(lines)-1]); last != "" {
		how += ": " + last
	}
	return fmt.Errorf("it ended before it connected: %s", how)
}

// supervise waits for the program and cleans up after it.
func (p *Process) supervise(outputs []*outputPipe) {
	p.err = p.group.wait()
	for _, o := range outputs {
		o.finish()
	}
	p.crash.end()
	_ = os.Remove(p.link)
	close(p.done)
}

// Conn returns the connection to the program. A reader sees what the program wrote before it ended,
// and then the end of the stream, also if a descendant that has left the group holds the other end
// open. The caller closes the connection; Stop and Kill do so as well.
func (p *Process) Conn() net.Conn { return p.conn }

// PID returns the program's process id, for messages and debuggers. Do not signal it: once Done is
// closed, it may be another program's.
func (p *Process) PID() int { return p.pid }

// Done is closed when the program has ended and all its output has been passed on.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err returns how the program ended, as "exit status 2" or "signal: killed". It is nil for exit
// status 0, and until Done is closed.
func (p *Process) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// Tail returns the last 64 KiB that the program wrote to stderr, unchanged. After a crash they hold
// the panic.
func (p *Process) Tail() string { return p.tail.String() }

// Crash returns what the Go runtime has printed about the program's crash. It is complete when Done
// is closed, and empty without a crash.
func (p *Process) Crash() CrashReport { return p.crash.report() }

// Stop ends the program and every process of its group, and waits until they are gone. It closes
// the connection, which asks the program to end, and sends SIGTERM to the group. After the grace
// period it sends SIGKILL. Where there are no signals, it only closes the connection.
func (p *Process) Stop() {
	_ = p.conn.Close()
	p.group.signal(syscall.SIGTERM)
	grace := time.NewTimer(p.grace)
	defer grace.Stop()
	select {
	case <-p.done:
	case <-grace.C:
		p.group.kill()
		<-p.done
	}
}

// Kill ends the program and every process of its group at once, and waits until they are gone.
func (p *Process) Kill() {
	_ = p.conn.Close()
	p.group.kill()
	<-p.done
}

// orDiscard returns w, or io.Discard for nil.
func orDiscard(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}
