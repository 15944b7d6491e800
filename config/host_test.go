package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"devtool.internal/config"
)

func TestTheHostThatTheWorkerSees(t *testing.T) {
	for text, want := range map[string]string{
		`"vars": {}`:                                                                      "",
		`"dev": {"host": "shop.example"}`:                                                 "shop.example",
		`"dev": {"host": "shop.example:8443"}`:                                            "shop.example:8443",
		`"dev": {"host": ""}, "route": "example.com/*"`:                                   "example.com",
		`"route": "shop.example/*"`:                                                       "shop.example",
		`"route": "https://shop.example/a"`:                                               "shop.example",
		`"route": {"pattern": "shop.example", "custom_domain": true}`:                     "shop.example",
		`"routes": ["*.shop.example/*", "other.example/*"]`:                               "shop.example",
		`"routes": ["*shop.example/*"]`:                                                   "shop.example",
		`"routes": [{"pattern": "http://shop.example/*", "zone_name": "shop.example"}]`:   "shop.example",
		`"routes": ["*/path"]`:                                                            "",
		`"routes": ["https://*/path"]`:                                                    "",
		`"routes": []`:                                                                    "",
		`"dev": {"host": "dev.example"}, "routes": ["shop.example/*"]`:                    "dev.example",
		`"routes": ["shop.example/*"], "env": {"x": {"route": "staging.shop.example/*"}}`: "staging.shop.example",
	} {
		path := filepath.Join(t.TempDir(), "wrangler.jsonc")
		content := `{"name": "w", "compatibility_date": "2026-10-01", ` + text + `}`
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		env := ""
		if strings.Contains(text, `"env"`) {
			env = "x"
		}
		c, _, err := config.Load(path, config.Options{Env: env})
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got := c.Dev.Host; got != want {
			t.Errorf("%s: got host %q, want %q", text, got, want)
		}
	}
}

func TestIsHost(t *testing.T) {
	for text, want := range map[string]bool{
		"localhost": true, "shop.example": true, "shop.example:443": true, "192.0.2.2": true,
		"[::1]:80": true, "bücher.example": true,

		"": false, ":80": false, "a b": false, "http://a": false, "a/b": false, "a@b": false,
		"a:b": false, "::1": false, "*.a": false,
	} {
		if got := config.IsHost(text); got != want {
			t.Errorf("IsHost(%q): got %v, want %v", text, got, want)
		}
	}
}
