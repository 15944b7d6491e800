package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// describeMachine describes, in one line, the machine that the figures depend on. It leaves out
// what the system does not report.
func describeMachine() string {
	read := func(path string) string {
		b, _ := os.ReadFile(path)
		return string(b)
	}
	return machineText(read("/proc/cpuinfo"), read("/proc/meminfo"), read("/proc/sys/kernel/osrelease"))
}

func machineText(cpuinfo, meminfo, release string) string {
	parts := []string{fmt.Sprintf("%s/%s, %d processors", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())}
	if model := valueOf(cpuinfo, "model name"); model != "" {
		parts[0] += " (" + model + ")"
	}
	if memory := statusNumber([]byte(meminfo), "MemTotal"); memory > 0 {
		parts = append(parts, fmt.Sprintf("%d GB", (memory+1<<19)>>20))
	}
	if release = strings.TrimSpace(release); release != "" {
		parts = append(parts, "kernel "+release)
	}
	return strings.Join(parts, ", ")
}

// valueOf returns the text after the first "key :" in text, or "".
func valueOf(text, key string) string {
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
