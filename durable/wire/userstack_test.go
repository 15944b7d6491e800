package wire_test

import (
	"strings"
	"testing"

	"devtool.internal/durable/wire"
)

// stackOf builds a stack of one goroutine: a word a frame, by who it belongs to.
func stackOf(number string, frames ...string) string {
	lines := []string{"goroutine " + number + " [running]:"}
	for _, f := range frames {
		lines = append(lines, map[string]string{
			"debug":   "runtime/debug.Stack()\n\t/go/src/runtime/debug/stack.go:26 +0x5e",
			"guard.1": "devtool.internal/durable.mark.guard.func1()\n\t/app/.devtool/sdk/durable/stack.go:44 +0x7b",
			"panic":   "panic({0x61b5c0?, 0x8665b0?})\n\t/go/src/runtime/panic.go:860 +0x13a",
			"signal":  "runtime.sigpanic()\n\t/go/src/runtime/signal_unix.go:900 +0x2",
			"user":    "main.helper(...)\n\t/app/main.go:12",
			"pkg":     "example.org/shop/cart.(*Cart).Add(0x1)\n\t/app/cart/cart.go:7 +0x2",
			"std":     "regexp.MustCompile({0x1, 0x2})\n\t/go/src/regexp/regexp.go:311 +0x2",
			"poll": "internal/poll.(*FD).Read(0x1, {0x2, 0x3})\n" +
				"\tinternal/poll/fd_unix.go:165 +0x2ae fp=0x3fce sp=0x3fcd pc=0x4cf2ee",
			"polled": "internal/poll.(*FD).Read(0x1, {0x2, 0x3})\n\tinternal/poll/fd_unix.go:165 +0x2ae",
			"sleep":  "time.Sleep(0x1)\n\t/go/src/runtime/time.go:363 +0x165",
			"slept":  "time.Sleep(0x1)\n\truntime/time.go:363 +0x165",
			"own":    "shop/internal/cart.Add(0x1)\n\tshop/internal/cart/cart.go:7 +0x2",
			"by go":  "created by runtime.gcenable in goroutine 1\n\truntime/mgc.go:215 +0xa5",
			"http":   "net/http.HandlerFunc.ServeHTTP(0x3)\n\t/go/src/net/http/server.go:2286 +0x29",
			"put":    "devtool.internal/durable.(*Storage).Put(0x1)\n\t/app/.devtool/sdk/durable/storage.go:73 +0x6f",
			"fetch":  "devtool.internal/durable.(*server).fetch(0x1)\n\t/app/.devtool/sdk/durable/serve.go:380 +0x5",
			"serve":  "devtool.internal/durable.Serve({0x1})\n\t/app/.devtool/sdk/durable/serve.go:80 +0x5",
			"wire":   "devtool.internal/durable/wire.(*Conn).serve(0x3)\n\t/app/.devtool/sdk/durable/wire/conn.go:374",
			"by sdk": "created by devtool.internal/durable/wire.(*Conn).accept in goroutine 8\n" +
				"\t/app/.devtool/sdk/durable/wire/conn.go:356",
			"by user": "created by main.work in goroutine 21\n\t/app/main.go:16 +0x125",
		}[f])
	}
	return strings.Join(lines, "\n")
}

func TestAStackShowsTheUsersFrames(t *testing.T) {
	served := []string{"http", "fetch", "wire", "by sdk"}
	for name, test := range map[string]struct {
		frames []string
		broken bool
		want   []string
	}{
		"a panic in a handler": {
			frames: append([]string{"debug", "guard.1", "panic", "user", "pkg"}, served...),
			want:   []string{"user", "pkg"},
		},
		"a nil pointer": {
			frames: append([]string{"debug", "guard.1", "panic", "signal", "user"}, served...), broken: true,
			want: []string{"user"},
		},
		"a panic in the standard library": {
			frames: append([]string{"debug", "guard.1", "panic", "std", "user"}, served...),
			want:   []string{"std", "user"},
		},
		"a program that is built with -trimpath": {
			frames: append([]string{"panic", "poll", "own", "poll"}, served...),
			want:   []string{"polled", "own"},
		},
		"a panic while another one is under way": {
			frames: append([]string{"debug", "guard.1", "panic", "pkg", "panic", "user"}, served...),
			want:   []string{"pkg", "user"},
		},
		"the SDK refuses what the user does": {
			frames: append([]string{"debug", "guard.1", "panic", "put", "user"}, served...),
			want:   []string{"user"},
		},
		"the SDK is broken": {
			frames: append([]string{"debug", "guard.1", "panic", "signal", "put", "user"}, served...), broken: true,
			want: []string{"put", "user"},
		},
		"the user's code is called by the SDK, which the user has called": {
			frames: append([]string{"debug", "guard.1", "panic", "user", "put", "pkg"}, served...), broken: true,
			want: []string{"user", "pkg"},
		},
		"no code of the user": {
			frames: []string{"panic", "signal", "fetch", "wire", "by sdk"}, broken: true,
			want: []string{"panic", "signal", "fetch", "wire", "by sdk"},
		},
		"a goroutine of the user": {
			frames: []string{"panic", "user", "by user"},
			want:   []string{"user", "by user"},
		},
	} {
		for _, drive := range []string{"", "C:"} { // in which the files are, on Windows
			t.Run(name+drive, func(t *testing.T) {
				on := func(stack string) string { return strings.ReplaceAll(stack, "\t/", "\t"+drive+"/") }
				got := wire.UserStack(on(stackOf("7", test.frames...))+"\n", test.broken)
				if want := on(stackOf("7", test.want...)); got != want {
					t.Errorf("got\n%s\nwant\n%s", got, want)
				}
			})
		}
	}
}

// A signal from outside interrupts any goroutine, or none. The report ends with the registers.
func TestTheReportOfASignalShowsTheUsersGoroutines(t *testing.T) {
	sleeps := func(stack string) string { return strings.Replace(stack, "[running]", "[sleep]", 1) }
	got := wire.UserStack(strings.Join([]string{
		"SIGQUIT: quit\nPC=0x48d261 m=0 sigcode=0",
		"goroutine 0 gp=0x8bb500 m=0 mp=0x8bc2c0 [idle]:\nruntime.futex(0x8bc418)\n\t/go/src/runtime/sys.go:569",
		sleeps(stackOf("1", "fetch", "serve", "user")),
		sleeps(stackOf("2", "sleep", "wire", "by sdk")),
		sleeps(stackOf("3", "slept", "wire", "by sdk")),
		sleeps(stackOf("7", "sleep", "user", "fetch", "by sdk")),
		"rbx    0x0\nr10    0x3fb40f6da5a0\nrflags 0x286\n",
	}, "\n\n"), false)
	want := "SIGQUIT: quit\nPC=0x48d261 m=0 sigcode=0\n\n" + sleeps(stackOf("7", "sleep", "user"))
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A crash shows the goroutine that crashed first, and then the others.
func TestACrashShowsGoroutinesWithCodeOfTheUser(t *testing.T) {
	got := wire.UserStack(strings.Join([]string{
		"fatal error: concurrent map writes",
		stackOf("7", "user", "http", "fetch", "wire", "by sdk"),
		stackOf("1", "wire", "fetch", "by sdk"),
		stackOf("2", "poll", "wire", "by sdk"),
		stackOf("4", "by go"),
		stackOf("9", "pkg", "by user"),
	}, "\n\n"), true)
	want := strings.Join([]string{
		"fatal error: concurrent map writes", stackOf("7", "user"), stackOf("9", "pkg", "by user"),
	}, "\n\n")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestACrashIsBounded(t *testing.T) {
	stack := []string{"runtime stack:\nruntime.throw({0x1, 0x2})\n\t/go/src/runtime/panic.go:1"}
	for range 100 {
		stack = append(stack, stackOf("7", "user", "fetch"))
	}
	stack = append(stack, stackOf("1", "wire", "serve", "user"))
	got := wire.UserStack(strings.Join(stack, "\n\n"), true)
	want := strings.Repeat(stackOf("7", "user")+"\n\n", 16) + "…and 84 more goroutines"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Whatever text it is, no line is invented, and each one that stays has its place.
func FuzzUserStack(f *testing.F) {
	f.Add(stackOf("7", "debug", "panic", "user", "http", "by sdk"), false)
	f.Add("panic: x\n\n"+stackOf("1", "wire")+"\n\n"+stackOf("9", "user"), true)
	f.Add("goroutine 1 [running]:\n\tx\n\n\n", true)
	f.Add("goroutine \x00running]:\n\tx\n\n\xc0", true)
	f.Fuzz(func(t *testing.T, text string, broken bool) {
		rest := text
		for line := range strings.Lines(wire.UserStack(text, broken)) {
			line = strings.TrimRight(line, "\r\n")
			if strings.HasPrefix(line, "…and ") {
				continue
			}
			_, after, found := strings.Cut(rest, line)
			if !found {
				t.Fatalf("%q is not in what is left of %q", line, text)
			}
			rest = after
		}
	})
}
