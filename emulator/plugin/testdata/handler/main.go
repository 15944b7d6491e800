// Handler is the program that the launch tests start. MODE in its environment selects its
// behaviour. It has no dependencies, so that it links fast.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	switch mode, argument, _ := strings.Cut(os.Getenv("MODE"), ":"); mode {
	case "echo":
		echo()
	case "about":
		about()
	case "exit":
		code, _ := strconv.Atoi(argument)
		fmt.Fprintln(os.Stderr, "leaving")
		os.Exit(code)
	case "panic":
		panic(argument)
	case "lines":
		fmt.Print("out 1\nout 2\nout without end")
		fmt.Fprint(os.Stderr, "err 1\nerr 2\n")
	case "prompt":
		fmt.Print("ready? ")
		echo()
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		witness()
		wait()
	case "family":
		start("stubborn")
		echo()
	case "orphan":
		start("stubborn")
		readLine(connection()) // until the test has seen the child
	case "escaped":
		start("hold")
		readLine(connection())
	case "hold":
		signal.Ignore(syscall.SIGTERM)
		leaveGroup()
		witness()
		wait()
	}
}

// connection returns the connection to the emulator.
func connection() net.Conn {
	if path := os.Getenv("DEVTOOL_SOCKET"); path != "" {
		conn, err := net.Dial("unix", path)
		check(err)
		return conn
	}
	fd, err := strconv.Atoi(os.Getenv("DEVTOOL_FD"))
	check(err)
	conn, err := net.FileConn(os.NewFile(uintptr(fd), "emulator"))
	check(err)
	return conn
}

// echo sends back everything it receives until the connection closes.
func echo() {
	conn := connection()
	_, err := io.Copy(conn, conn)
	check(err)
}

// about sends its name, folder and environment over the connection.
func about() {
	exe, err := os.Executable()
	check(err)
	dir, err := os.Getwd()
	check(err)
	fmt.Fprintf(connection(), "%s\n%s\n%s\n", filepath.Base(exe), dir, strings.Join(os.Environ(), "\n"))
}

// start runs this program again, as a child that inherits its output.
func start(mode string) {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "MODE="+mode)
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	check(child.Start())
}

// witness opens a connection to the test, which closes when this process ends.
func witness() {
	conn, err := net.Dial("unix", os.Getenv("WITNESS"))
	check(err)
	_, err = fmt.Fprintln(conn, os.Getpid())
	check(err)
	go func() {
		// The test closes the connection to end a process that would outlive it.
		_, _ = io.Copy(io.Discard, conn)
		os.Exit(0)
	}()
}

func readLine(r io.Reader) {
	for b := make([]byte, 1); b[0] != '\n'; {
		if _, err := r.Read(b); err != nil {
			return
		}
	}
}

func wait() { time.Sleep(time.Hour) }

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "handler:", err)
		os.Exit(90)
	}
}
