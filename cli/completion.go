package cli

import (
	"context"
	"embed"
	"strings"
)

// The scripts only pass the words of the line on to `devtool __complete` (complete.go), and its
// answer to the shell.
//
//go:embed completion
var completionScripts embed.FS

var completionShells = []string{"bash", "zsh", "fish"}

func completionCommand() *command {
	return &command{
		name:    "completion",
		summary: "Print the script that completes commands in bash, zsh or fish",
		about: `It completes commands, flags, their values, files, and the names of the objects of the
emulator that runs.`,
		args: []argument{{name: "SHELL", usage: strings.Join(completionShells, ", ")}},
		examples: []example{
			{`eval "$(devtool completion bash)"`, "in ~/.bashrc"},
			{"source <(devtool completion zsh)", "in ~/.zshrc, after compinit"},
			{"devtool completion fish > ~/.config/fish/completions/devtool.fish", ""},
		},
		run: func(_ context.Context, s Streams, args []string) error {
			script, err := completionScripts.ReadFile("completion/devtool." + args[0])
			if err != nil {
				return misuse("choose "+strings.Join(completionShells, ", "), "there is no completion for %q", args[0])
			}
			_, err = s.Out.Write(script)
			return err
		},
	}
}
