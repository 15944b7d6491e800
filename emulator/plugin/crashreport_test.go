package plugin_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"devtool.internal/durable/wire"
	"devtool.internal/emulator/plugin"
)

// The parts of a program's output around a crash. The report has frames of the user (main), of the
// SDK and of the runtime.
const (
	fatalReason = "fatal error: concurrent map writes\n[a line of the runtime]\n\n"
	userFrames  = "goroutine 21 [running]:\nmain.culprit(0x1)\n\t/app/main.go:12 +0x1\n"
	sdkFrames   = "devtool.internal/durable.(*server).fetch(0x1)\n\t/app/.devtool/sdk/durable/serve.go:380 +0x5\n"
	throwFrames = "runtime.fatal({0x1, 0x2})\n\t/go/src/runtime/panic.go:1 +0x2\n"
	idle        = "\ngoroutine 1 [select]:\n" + sdkFrames
	another     = "\ngoroutine 9 [sleep]:\nmain.other()\n\t/app/main.go:30\n"
)

var crashed = fatalReason + strings.Replace(userFrames, "\n", "\n"+throwFrames, 1) + sdkFrames + idle + another

// Cut into any pieces, a report is shown with the user's frames alone, and all other output passes.
func TestACrashShowsTheUsersFrames(t *testing.T) {
	file := filepath.Join(t.TempDir(), "run", "crash.txt")
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	const note = "\nFrames of the SDK and of the runtime are left out; run/crash.txt has all of them.\n"
	shown := fatalReason + userFrames + another
	rapid.Check(t, func(t *rapid.T) {
		before := rapid.SampledFrom([]string{
			"", "\n", "line\n", "line\n\ngoroutine 5 [running]:\nmain.f()\n\t/x.go:1\n",
		}).Draw(t, "before")
		after := rapid.SampledFrom([]string{"", "\nexit\n", "\nnot a stack", "\n\n\nmore\n"}).Draw(t, "after")
		if err := os.RemoveAll(file); err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		w := plugin.NewCrashFilter(&got, plugin.LaunchOptions{
			Dir: filepath.Dir(filepath.Dir(file)), CrashFile: file, UserStack: wire.UserStack,
		})
		for rest := before + crashed + after; rest != ""; {
			n := min(rapid.IntRange(1, 200).Draw(t, "piece"), len(rest))
			w.Write([]byte(rest[:n])) //nolint:errcheck // it never fails
			rest = rest[n:]
		}
		w.End()
		want := before + shown + note + strings.TrimLeft(after, "\n")
		if got.String() != want {
			t.Fatalf("got %q\nwant %q", got.String(), want)
		}
		whole, err := os.ReadFile(file)
		if kept := strings.TrimRight(string(whole), "\n"); err != nil || kept != strings.TrimRight(crashed, "\n") {
			t.Fatalf("the file has %q, %v, want %q", whole, err, crashed)
		}
	})
}

// The registers below the stacks are part of the report of a signal.
func TestTheReportOfASignalShowsTheUsersFrames(t *testing.T) {
	file := filepath.Join(t.TempDir(), "crash.txt")
	const reason, registers = "SIGQUIT: quit\nPC=0x48d261 m=0 sigcode=0\n\n", "\nrbx    0x0\nrflags 0x286\n"
	for _, after := range []string{"", "\nexit\n"} {
		var got strings.Builder
		w := plugin.NewCrashFilter(&got, plugin.LaunchOptions{
			Dir: filepath.Dir(file), CrashFile: file, UserStack: wire.UserStack,
		})
		whole := reason + userFrames + sdkFrames + idle + another + registers
		w.Write([]byte("line\n" + whole + after)) //nolint:errcheck // it never fails
		w.End()
		const note = "\nFrames of the SDK and of the runtime are left out; crash.txt has all of them.\n"
		want := "line\n" + reason + userFrames + another + note + strings.TrimLeft(after, "\n")
		if got.String() != want {
			t.Errorf("got %q\nwant %q", got.String(), want)
		}
		if report := w.Report(); strings.TrimRight(report.Text, "\n") != strings.TrimRight(whole, "\n") {
			t.Errorf("the report has %q, want %q", report.Text, whole)
		}
	}
}

// What only resembles a report passes, whatever follows.
func TestOtherOutputPassesTheCrashFilter(t *testing.T) {
	for _, text := range []string{
		"goroutine 21 [running]:\n" + sdkFrames,
		"\ngoroutine 21 [running]:\n" + sdkFrames,
		"panic: not one\n" + userFrames + sdkFrames,
		"panic: not one\n\nline\n" + userFrames + sdkFrames,
		"panic: not one\n\n" + strings.Repeat("line\n", 200) + "\n" + userFrames + sdkFrames,
		"panic: the end\n\n", "panic: the end\n\ngoroutine", "panic: ", "\n\n\n", "fatal error: x",
		"SIG: x\n\n" + userFrames + sdkFrames, "SIGNAL of life: x\n\n" + userFrames + sdkFrames,
		"a panic: no reason\n\n" + userFrames + sdkFrames,
		strings.Repeat("x", 100_000) + "panic: no reason\n\n" + userFrames + sdkFrames,
	} {
		for _, size := range []int{1, 7, len(text)} {
			var got strings.Builder
			w := plugin.NewCrashFilter(&got, plugin.LaunchOptions{UserStack: wire.UserStack})
			for rest := text; rest != ""; rest = rest[min(size, len(rest)):] {
				w.Write([]byte(rest[:min(size, len(rest))])) //nolint:errcheck // it never fails
			}
			w.End()
			if got.String() != text {
				t.Errorf("got %q, want %q", got.String(), text)
			}
		}
	}
}

// Of a report without an end, a bounded part is kept and shown. The goroutine that crashed comes
// first.
func TestALongCrashIsBounded(t *testing.T) {
	var got strings.Builder
	w := plugin.NewCrashFilter(&got, plugin.LaunchOptions{UserStack: wire.UserStack})
	w.Write([]byte(fatalReason + userFrames)) //nolint:errcheck // it never fails
	for range 200_000 {
		w.Write([]byte(another)) //nolint:errcheck // as above
	}
	w.End()
	if !strings.HasPrefix(got.String(), fatalReason+userFrames+another) || got.Len() > 4096 {
		t.Errorf("got %d bytes: %.4096q", got.Len(), got.String())
	}
	if n := len(w.Report().Text); n != plugin.MaxReport {
		t.Errorf("%d bytes are kept, want %d", n, plugin.MaxReport)
	}
}
