//go:build !windows

package emulator

const exeSuffix = ""
