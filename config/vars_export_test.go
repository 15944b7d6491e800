package config

import "time"

// SetPipePatience sets how long a named pipe may have no writer, until restore.
func SetPipePatience(d time.Duration) (restore func()) {
	before := pipePatience
	pipePatience = d
	return func() { pipePatience = before }
}

// ParseVars reads the text of a file like .dev.vars.
func ParseVars(text string) ([]Var, []Diagnostic, error) {
	all, warnings, err := parseVars("file", []byte(text))
	return varsOf(all), warnings, err
}

// ExpandVars reads the text of a file like .env beside a process's environment.
func ExpandVars(text string, process map[string]string) ([]Var, error) {
	all, _, err := parseVars("file", []byte(text))
	if err != nil {
		return nil, err
	}
	all, err = expand(merge(all), process)
	return varsOf(all), err
}
