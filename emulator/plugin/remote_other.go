//go:build !linux

package plugin

// remote returns why the system may not report changes in a folder, or "".
func remote(string) string { return "" }
