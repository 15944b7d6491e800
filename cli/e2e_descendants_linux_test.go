package cli_test

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// withChild adds a process to a project's program, which starts before the program connects. The
// process lasts for ten minutes.
func (p project) withChild(attributes string) {
	p.write("child.go", `package main

import (
	"os"
	"os/exec"
	"syscall"
)

func init() {
	connection, err := syscall.Dup(3)
	if err != nil {
		panic(err)
	}
	child := exec.Command("sleep", "600")
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	child.ExtraFiles = []*os.File{os.NewFile(uintptr(connection), "connection")}
	child.SysProcAttr = &syscall.SysProcAttr{`+attributes+`}
	if err := child.Start(); err != nil {
		panic(err)
	}
}
`)
}

// endChildren ends the processes of withChild that run in the project.
func (p project) endChildren() {
	for _, pid := range processesIn(p.t, p.dir) {
		if statusOf(pid, "Name") == "sleep" {
			syscall.Kill(pid, syscall.SIGKILL) //nolint:errcheck // it has ended
		}
	}
}

// TestACrashIsNoticedWhoeverHoldsTheConnection ends the program while a daemon, which the program
// has started, still has the connection and the output.
func TestACrashIsNoticedWhoeverHoldsTheConnection(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "crash")
	p.withChild("Setsid: true")
	t.Cleanup(p.endChildren)
	s := p.dev()
	status, body := s.fetch(http.MethodGet, "/exit", "")
	const want = "the handler program has crashed (exit status 3)"
	if status != http.StatusInternalServerError || !strings.Contains(body, want) {
		t.Errorf("got %d %q, want 500 %q", status, body, want)
	}
	s.awaitLog("restarted the handler program")
	s.interrupt()
}

// TestTheProgramsChildrenEndWithIt starts a process in the program's group.
func TestTheProgramsChildrenEndWithIt(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*server){
		"when dev is interrupted": func(s *server) { s.interrupt() },
		"when dev is killed":      func(s *server) { s.kill() },
		"when the program ends": func(s *server) {
			s.fetch(http.MethodGet, "/exit", "")
			s.awaitLog("restarted the handler program")
			s.kill()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := handlerProject(t, "crash")
			p.withChild("")
			t.Cleanup(p.endChildren)
			end(p.dev())
			eventually(t, "no process is left in the project", func() bool { return len(processesIn(t, p.dir)) == 0 })
		})
	}
}
