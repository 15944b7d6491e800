// Package worlds is what a test harness and `devtool worlds` say to each other: lines of JSON on
// the standard input and output of that process.
//
// The process prints a Hello first. Then the harness sends Requests: one that makes a world, with a
// number that the harness chooses, and later one that drops it. The process sends Events, each
// about one world: lines of its log, that it is ready, and in the end that it has ended. A world
// that did not start has only ended. When its standard input ends, the process drops all worlds and
// exits.
//
// Every world is an emulator of its own, whose state is removed when it ends. A number is free
// again when its world has ended.
//
// The package is part of the SDK's copy in projects, so the two sides may be of different versions.
package worlds

import "time"

// Protocol is the version of what this package describes. Two sides with different versions do not
// understand each other.
const Protocol = 2

// Hello is the first line of the process.
type Hello struct {
	Protocol int    `json:"protocol"`
	Devtool  string `json:"devtool"` // the version of the process, for messages
	// Folder has the state and the sockets of all worlds. The process removes it when it exits. The
	// harness removes it if the process was killed.
	Folder string `json:"folder"`
}

// A Request asks for one thing.
type Request struct {
	Make *Make `json:"make,omitempty"`
	Drop int   `json:"drop,omitempty"` // the number of a world
}

// Make asks for a new world. The options without a comment are those of `devtool dev`.
type Make struct {
	World  int               `json:"world"` // its number, above 0
	Dir    string            `json:"dir"`   // absolute: the project is looked for from there upwards
	Config string            `json:"config,omitempty"`
	Env    string            `json:"env,omitempty"` // of the configuration; empty: its top level
	Vars   map[string]string `json:"vars,omitempty"`
	// DotFiles lets the variables of .dev.vars and .env files count, and those of the environment
	// if CLOUDFLARE_INCLUDE_PROCESS_ENV says so.
	DotFiles bool      `json:"dotFiles,omitempty"`
	Time     time.Time `json:"time,omitzero"`
	Running  bool      `json:"running,omitempty"` // the clock runs; otherwise it is frozen
	Seed     uint64    `json:"seed,omitempty"`
	Limits   string    `json:"limits,omitempty"`
	LogLevel string    `json:"logLevel,omitempty"`
	// Environ is the environment for this world, as NAME=value. Nil means that of the process.
	Environ []string `json:"environ,omitzero"`
}

// An Event says what has happened to a world. One of the other fields is set.
type Event struct {
	World int    `json:"world"`
	Log   string `json:"log,omitempty"` // text of its log, which need not end with a line
	Ready *Ready `json:"ready,omitempty"`
	Ended *Ended `json:"ended,omitempty"`
}

// Ready says where to reach a world.
type Ready struct {
	URL    string `json:"url"`    // of the worker, and of the control API
	Token  string `json:"token"`  // of the control API
	Attach string `json:"attach"` // the path of the socket that the handler program dials
}

// Ended says how a world ended. Both fields are empty if it was dropped or stopped.
type Ended struct {
	Error string `json:"error,omitempty"`
	Hint  string `json:"hint,omitempty"` // what to do about Error
}
