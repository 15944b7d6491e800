package cli_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"devtool.internal/cli"
)

// A tty is a shell with job control at a terminal of its own.
type tty struct {
	t      *testing.T
	master *os.File
	shell  *exec.Cmd
	raw    output // everything that was written to the terminal
	screen *cli.VT
	seen   int // the length of raw up to the last match of await
}

// newTTY starts the shell in the project's folder. $DEVTOOL is the binary.
func (p project) newTTY(columns int, env ...string) *tty {
	p.t.Helper()
	return p.newShell(columns, []string{"/bin/sh", "+o", "emacs", "-i"}, env...)
}

// newShell is newTTY with another shell, whose prompt must be "$ ".
func (p project) newShell(columns int, shell []string, env ...string) *tty {
	p.t.Helper()
	master, slave := openPTY(p.t)
	x := &tty{t: p.t, master: master, screen: cli.NewVT(columns)}
	x.size(columns)
	devtool := command(p.t, p.dir, "")
	x.shell = exec.Command(shell[0], shell[1:]...)
	x.shell.Dir = p.dir
	for _, v := range devtool.Env {
		if !strings.HasPrefix(v, "NO_COLOR=") {
			x.shell.Env = append(x.shell.Env, v)
		}
	}
	x.shell.Env = append(x.shell.Env, "DEVTOOL="+devtool.Path, "TERM=xterm", "PS1=$ ", "ENV=", "HISTFILE=")
	x.shell.Env = append(x.shell.Env, env...)
	x.shell.Stdin, x.shell.Stdout, x.shell.Stderr = slave, slave, slave
	x.shell.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := x.shell.Start(); err != nil {
		p.t.Fatal(err)
	}
	slave.Close()
	read := make(chan struct{})
	go func() {
		defer close(read)
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			x.raw.Write(b[:n])
			x.screen.Write(b[:n])
			if err != nil {
				return // no process has the other end open
			}
		}
	}()
	p.t.Cleanup(func() {
		if p.t.Failed() {
			p.t.Logf("the terminal got:\n%s\n%q", strings.Join(x.screen.Lines(), "\n"), x.raw.String())
		}
		x.shell.Process.Signal(syscall.SIGHUP) //nolint:errcheck // it may have ended
		x.shell.Process.Kill()                 //nolint:errcheck // as above
		x.shell.Wait()                         //nolint:errcheck // as above
		master.Close()
		<-read
	})
	x.await("$ ")
	return x
}

// openPTY opens the two ends of a terminal.
func openPTY(t *testing.T) (master, slave *os.File) {
	t.Helper()
	fd, err := syscall.Open("/dev/ptmx", syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	master = os.NewFile(uintptr(fd), "ptmx") // it does not block, so Close ends a read
	var unlocked, number int32
	terminalCall(t, master, syscall.TIOCSPTLCK, unsafe.Pointer(&unlocked))
	terminalCall(t, master, syscall.TIOCGPTN, unsafe.Pointer(&number))
	slave, err = os.OpenFile(filepath.Join("/dev/pts", fmt.Sprint(number)), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

func terminalCall(t *testing.T, f *os.File, request uintptr, argument unsafe.Pointer) {
	t.Helper()
	conn, err := f.SyscallConn()
	if err == nil {
		err = conn.Control(func(fd uintptr) {
			if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(argument)); errno != 0 {
				t.Errorf("ioctl %#x: %v", request, errno)
			}
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// size sets the number of the window's columns.
func (x *tty) size(columns int) {
	x.t.Helper()
	x.screen.Resize(columns)
	window := struct{ rows, columns, x, y uint16 }{rows: 50, columns: uint16(columns)}
	terminalCall(x.t, x.master, syscall.TIOCSWINSZ, unsafe.Pointer(&window))
}

// mode returns the names of the terminal's modes that are on.
func (x *tty) mode() string {
	x.t.Helper()
	var m syscall.Termios
	terminalCall(x.t, x.master, syscall.TCGETS, unsafe.Pointer(&m))
	var on []string
	for _, flag := range []struct {
		name string
		on   bool
	}{
		{"lines", m.Lflag&syscall.ICANON != 0},
		{"echo", m.Lflag&syscall.ECHO != 0},
		{"signals", m.Lflag&syscall.ISIG != 0},
		{"output", m.Oflag&syscall.OPOST != 0 && m.Oflag&syscall.ONLCR != 0},
		{"enter", m.Iflag&syscall.ICRNL != 0},
	} {
		if flag.on {
			on = append(on, flag.name)
		}
	}
	return strings.Join(on, " ")
}

// The modes of a terminal under a shell, and while hotkeys work.
const (
	modeOfShell   = "lines echo signals output enter"
	modeOfHotkeys = "signals output enter"
)

func (x *tty) awaitMode(want string) {
	x.t.Helper()
	eventually(x.t, "the terminal's mode is "+want, func() bool { return x.mode() == want })
}

func (x *tty) typed(text string) {
	x.t.Helper()
	if _, err := x.master.WriteString(text); err != nil {
		x.t.Fatal(err)
	}
}

// await waits until text has been written to the terminal since the last await.
func (x *tty) await(text string) { x.t.Helper(); x.awaitMatch(regexp.QuoteMeta(text)) }

func (x *tty) awaitMatch(pattern string) (groups []string) {
	x.t.Helper()
	re := regexp.MustCompile(pattern)
	eventually(x.t, fmt.Sprintf("the terminal shows %q", pattern), func() bool {
		raw := x.raw.String()
		at := re.FindStringSubmatchIndex(raw[x.seen:])
		if at == nil {
			return false
		}
		for i := 0; i < len(at); i += 2 {
			groups = append(groups, raw[x.seen+at[i]:x.seen+at[i+1]])
		}
		x.seen += at[1]
		return true
	})
	return groups
}

// awaitLast waits until the last line of the screen is text.
func (x *tty) awaitLast(text string) {
	x.t.Helper()
	eventually(x.t, fmt.Sprintf("the last line is %q", text), func() bool {
		lines := x.screen.Lines()
		return len(lines) > 0 && lines[len(lines)-1] == text
	})
}

// dev starts an emulator with the shell, and returns when its hotkeys work.
func (x *tty) dev(p project, args ...string) *server {
	x.t.Helper()
	x.devtool("dev --port 0 " + strings.Join(args, " "))
	s := x.ready(p)
	x.awaitMode(modeOfHotkeys)
	return s
}

// devtool types a command of devtool into the shell, which then prints its exit code.
func (x *tty) devtool(command string) {
	x.typed(`"$DEVTOOL" ` + command + "; echo \"exit code $?.\"\n")
}

// ready waits for the start screen.
func (x *tty) ready(p project) *server {
	x.t.Helper()
	url := x.awaitMatch(`Ready on (http://\S+)`)[1]
	s := &server{t: x.t, client: httpClient(x.t)}
	s.Status.URL = url
	p.succeed(&s.Status, "status", "--json")
	x.t.Cleanup(func() { syscall.Kill(s.PID, syscall.SIGKILL) }) //nolint:errcheck // it has ended
	return s
}
