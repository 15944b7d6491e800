package cli_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"devtool.internal/emulator/control"
	"devtool.internal/emulator/control/client"
)

// loopbacks returns the loopback addresses that this machine has.
func loopbacks(t *testing.T) (addresses []string) {
	t.Helper()
	for _, address := range []string{"127.0.0.1", "::1"} {
		l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
		if err == nil {
			l.Close()
			addresses = append(addresses, address)
		}
	}
	return addresses
}

// occupy listens on a port of an address until the test ends, and returns the port.
func occupy(t *testing.T, address, port string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(address, port))
	if errors.Is(err, syscall.EADDRINUSE) {
		return port // another process has it
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestLocalhostIsEveryLoopbackAddress(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"http", "https"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			settings := t.TempDir()
			p := handlerProject(t, "basic")
			s := p.startWith(settings, "--port", "0", "--local-protocol", protocol)
			s.awaitReady()
			if protocol == "https" {
				s.trust(kept(t, settings))
			}
			if want := protocol + "://localhost:"; !strings.HasPrefix(s.URL, want) {
				t.Errorf("URL: got %s, want %s…", s.URL, want)
			}
			port := portOf(t, s.URL)
			for _, address := range loopbacks(t) {
				s.URL = protocol + "://" + net.JoinHostPort(address, port)
				if got, want := s.get("/var"), "hello"; got != want {
					t.Errorf("%s: got %q, want %q", s.URL, got, want)
				}
			}
		})
	}
}

func TestAPortIsTakenIfAnyLoopbackAddressHasIt(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	for _, address := range loopbacks(t) {
		port := occupy(t, address, "0")
		got := p.devtool("dev", "--port", port)
		if want := "devtool: port " + port + " on " + address + " is taken\n"; got.code != 1 ||
			!strings.Contains(got.err, want) {
			t.Errorf("got exit code %d and %q, want 1 and %q", got.code, got.err, want)
		}
		// The default port is only the first one to try.
		occupy(t, address, "8787")
		s := p.start()
		s.awaitReady()
		if strings.HasSuffix(s.URL, ":8787") {
			t.Errorf("URL with 8787 taken on %s: got %s", address, s.URL)
		}
		s.interrupt()
	}
}

// The URL of the start screen works, whatever the address, and so do commands in the project.
func TestTheURLIsOneThatWorks(t *testing.T) {
	t.Parallel()
	urls := map[string]string{ // of the value of --ip
		"127.0.0.1":  "http://127.0.0.1:",
		"localhost":  "http://localhost:",
		"LocalHost.": "http://localhost:",
		"0.0.0.0":    "http://localhost:",
		"*":          "http://localhost:",
	}
	if len(loopbacks(t)) == 2 {
		urls["::1"], urls["[::1]"], urls["[0:0::1]"] = "http://[::1]:", "http://[::1]:", "http://[::1]:"
		urls["::"], urls["[::]"] = "http://localhost:", "http://localhost:"
	}
	if runtime.GOOS == "linux" {
		urls["127.0.0.2"] = "http://127.0.0.2:"
	}
	p := handlerProject(t, "basic")
	for ip, want := range urls {
		if leftToLong(ip, "localhost", "*", "[::1]", "127.0.0.2") {
			continue
		}
		s := p.dev("--ip", ip)
		if !strings.HasPrefix(s.URL, want) {
			t.Errorf("--ip %s: got the URL %s, want %s…", ip, s.URL, want)
		}
		if got, want := s.get("/var"), "hello"; got != want {
			t.Errorf("--ip %s: got %q, want %q", ip, got, want)
		}
		var found control.Report
		p.succeed(&found, "status", "--json")
		p.succeed(&found, "status", "--json", "--url", s.URL)
		if found.PID != s.cmd.Process.Pid || found.URL != s.URL {
			t.Errorf("--ip %s: devtool status found process %d at %s, want %d at %s",
				ip, found.PID, found.URL, s.cmd.Process.Pid, s.URL)
		}
		s.interrupt()
	}
}

func TestWhatIsNotAnAddressIsRefused(t *testing.T) {
	t.Parallel()
	p := handlerProject(t, "basic")
	for _, ip := range []string{
		"[::1", "::1]", "[127.0.0.1]", "[]", "localhost:8787", "http://localhost", "127.0.0.1:8787",
	} {
		got := p.devtool("dev", "--port", "0", "--ip", ip)
		if want := `"` + ip + `" is not an address to listen on`; got.code != 2 || !strings.Contains(got.err, want) {
			t.Errorf("--ip %s: got exit code %d and %q, want 2 and %q", ip, got.code, got.err, want)
		}
	}
}

// An announcement may lead to another server: its emulator may run in a container that shares the
// project's folder and not the network.
func TestCommandsChangeNoOtherEmulator(t *testing.T) {
	t.Parallel()
	theirs := handlerProject(t, "basic")
	other := theirs.dev()
	asked := false
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked = true
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte(`{"mode":"frozen"}`)) //nolint:errcheck // the command says so
	}))
	defer web.Close()
	for _, url := range []string{other.URL, web.URL} {
		p := handlerProject(t, "basic")
		release, err := client.Announce(p.dir, client.Announcement{
			URL: url, Control: url, Identity: "mine", Started: time.Now(), Config: p.path("wrangler.jsonc"),
			State: p.path(".devtool/state"),
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{"time freeze", "stop", "logs", "time advance 1h", "status"} {
			got := p.devtool(append(strings.Fields(line), "--json")...)
			if got.code != 1 || !strings.Contains(got.err, `"code":"other_emulator"`) {
				t.Errorf("devtool %s: got exit code %d and %s%s, want 1 and other_emulator",
					line, got.code, got.out, got.err)
			}
		}
		if err := release(); err != nil {
			t.Error(err)
		}
	}
	if !asked {
		t.Error("the other server was not asked at all")
	}
	if got := theirs.time().Mode; got != "running" {
		t.Errorf("the clock of the other emulator: got %s, want running", got)
	}
}
