package cli

import (
	"cmp"
	"os/exec"
	"runtime"
	"strings"
)

// browser returns the command that opens a URL in the user's browser: that of BROWSER, or else the
// system's.
func browser(s Streams) func(url string) error {
	return func(url string) error {
		opener := strings.Fields(s.Env("BROWSER"))
		if len(opener) == 0 {
			known := map[string]string{"darwin": "open", "windows": "rundll32 url.dll,FileProtocolHandler"}
			opener = strings.Fields(cmp.Or(known[runtime.GOOS], "xdg-open"))
		}
		cmd := exec.Command(opener[0], append(opener[1:], url)...)
		if err := cmd.Start(); err != nil {
			return failure("set BROWSER to a program that opens a URL, or open it yourself: "+url,
				"no browser can be started: %v", err)
		}
		go cmd.Wait() //nolint:errcheck // it says itself what is wrong
		return nil
	}
}
