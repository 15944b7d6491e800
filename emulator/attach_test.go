package emulator

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/control"
	"devtool.internal/emulator/internal/scripted"
)

// attachOnly makes an emulator build nothing.
func attachOnly(o *Options) { o.Attach = AttachOnly }

// newEmptyWorld starts an emulator that no program serves.
func newEmptyWorld(t *testing.T, tune func(*Options)) *testWorld {
	t.Helper()
	w := newStoppedWorld(t, tune)
	w.startEngine()
	w.openDoor()
	return w
}

// attachScript connects s as an attached program. The function that it returns ends s.
func (w *testWorld) attachScript(s *script) (end func()) {
	ours, theirs := net.Pipe()
	go s.Serve(theirs)
	w.world.Go(func() { w.attach(ours) })
	return func() { theirs.Close() }
}

// greeter returns a program whose objects answer with its name.
func greeter(name string) *script {
	return scripted.New(handlers{
		"/who": func(*call) (string, error) { return name, nil },
	})
}

func (w *testWorld) awaitServing(name string) {
	w.t.Helper()
	eventually(w.t, name+" serves", func() bool { _, got := w.get("a", "/who"); return got == name })
}

func TestAnAttachedProgramReplacesTheBuiltOne(t *testing.T) {
	w := newWorld(t, greeter("built"))
	w.want("a", "/who", "built")
	if w.Status().Attached {
		t.Error("the status reports an attached program before there is one")
	}
	end := w.attachScript(greeter("attached"))
	w.awaitServing("attached")
	if !w.Status().Attached {
		t.Error("the status does not report the attached program")
	}

	// A build does not replace an attached program. Another attached program does.
	if p, _ := w.connect(greeter("built again")); w.host.Swap(p) {
		t.Error("a build replaced an attached program")
	}
	w.want("a", "/who", "attached")
	w.attachScript(greeter("attached later"))
	w.awaitServing("attached later")
	end()
	w.want("a", "/who", "attached later")
}

func TestEventsWaitForTheNextProgramWhereNothingIsBuilt(t *testing.T) {
	w := newEmptyWorld(t, attachOnly)
	var wg sync.WaitGroup
	wg.Go(func() { w.want("a", "/who", "first") })
	end := w.attachScript(greeter("first"))
	wg.Wait()
	end()
	eventually(t, "the program has gone", func() bool { return w.host.Serving() == nil })
	if got := w.program().State; got != control.ProgramStarting {
		t.Errorf("state of the program: got %q, want %q", got, control.ProgramStarting)
	}
	wg.Go(func() { w.want("a", "/who", "second") })
	w.attachScript(greeter("second"))
	wg.Wait()
}

func TestAnEventOfAnAttachedProgramEndsWithIt(t *testing.T) {
	h := scripted.NewHang()
	t.Cleanup(h.Release)
	w := newEmptyWorld(t, attachOnly)
	end := w.attachScript(scripted.New(handlers{"/hang": h.Here}))
	var wg sync.WaitGroup
	wg.Go(func() {
		status, body := w.get("a", "/hang")
		if want := "the attached handler program has ended"; status != 500 || !strings.Contains(body, want) {
			t.Errorf("got %d %q, want 500 and %q", status, body, want)
		}
	})
	<-h.In
	end()
	wg.Wait()
}

func TestAnAttachedProgramWithoutABoundClassIsRefused(t *testing.T) {
	w := newEmptyWorld(t, attachOnly)
	ours, theirs := net.Pipe()
	w.world.Go(func() { w.attach(ours) })
	conn := wire.NewConn(theirs, wire.Program, wire.Callbacks{})
	defer conn.Close()
	hello := &wire.Hello{MinVersion: wire.MinVersion, MaxVersion: wire.MaxVersion}
	err := conn.Call(t.Context(), wire.MethodHello, hello, &wire.Welcome{})
	if want := "the program has no class Lab (bound as LAB)"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	// The emulator goes on serving.
	w.attachScript(greeter("one that fits"))
	w.want("a", "/who", "one that fits")
}

// The author of an SDK learns which rule the first frames break. What only connects says nothing.
func TestAProgramThatBreaksTheProtocolAtOnceLearnsWhichRule(t *testing.T) {
	for name, test := range map[string]struct{ sends, want string }{
		"another protocol":   {"GET / HTTP/1.1\r\n\r\n", "broken the protocol"},
		"an unknown kind":    {"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x09\x00", "unknown kind 9"},
		"an id of this side": {"\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x01\x01\x01", "are even"},
		"another question":   {"\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02\x01\x01\x03", "does not have"},
		"nothing":            {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w, book := newLoggedWorld(t, greeter("first"), slog.LevelInfo)
			ours, theirs := net.Pipe()
			attached := make(chan struct{})
			go func() {
				defer close(attached)
				w.attach(ours)
			}()
			go io.Copy(io.Discard, theirs)     //nolint:errcheck // the emulator may answer
			io.WriteString(theirs, test.sends) //nolint:errcheck // it reads no more than it needs
			theirs.Close()
			<-attached
			if log := book.String(); !strings.Contains(log, test.want) || (log == "") != (test.want == "") {
				t.Errorf("got the log\n%s\nwant %q", log, test.want)
			}
		})
	}
}

func TestTheSocketFileNamesTheLatestEmulator(t *testing.T) {
	project := t.TempDir()
	first, err := publishSocket(project, "/tmp/one")
	if err != nil {
		t.Fatal(err)
	}
	second, err := publishSocket(project, "/tmp/two")
	if err != nil {
		t.Fatal(err)
	}
	check := func(want string) {
		t.Helper()
		got, err := wire.ReadAttach(project)
		if got != want || err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	for _, remove := range []func() error{first, first} {
		if err := remove(); err != nil {
			t.Error(err)
		}
		check("/tmp/two") // another emulator's socket stays
	}
	if err := errors.Join(second(), second()); err != nil {
		t.Error(err)
	}
	check("")
}
