# Completion of devtool for fish. Install it with:
#   devtool completion fish > ~/.config/fish/completions/devtool.fish

function __devtool_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program devtool
    string match -q '*/*' -- $words[1]; and test -x $words[1]; and set program $words[1]
    set -e words[1]
    set -l lines (command $program __complete fish $words "$current" 2>/dev/null)
    set -l mode (string split ' ' -- $lines[1])
    set -e lines[1]
    set -l flag (string match -r '^--[^=]*=' -- $current; or echo)
    set -l value (string replace -r '^--[^=]*=' '' -- $current)
    switch "$mode[1]"
        case files
            printf '%s\n' $flag(__fish_complete_path $value)
        case folders
            printf '%s\n' $flag(__fish_complete_directories $value)
        case program
            # The first word is not among words any more.
            for i in (seq 2 $mode[2])
                set -e words[1]
            end
            complete -C (string join -- ' ' (string escape -- $words) "$current")
        case '*'
            test (count $lines) -gt 0; and printf '%s\n' $lines
    end
end

complete -c devtool -e
complete -c devtool -f -a '(__devtool_complete)'
