# Completion of devtool for bash. Install it with this line in ~/.bashrc:
#   eval "$(devtool completion bash)"

_devtool() {
	local program=devtool mode line
	[[ $1 == */* && -x $1 ]] && program=$1
	COMPREPLY=()
	{
		IFS= read -r mode || : # a failure would end a shell with `set -e`
		while IFS= read -r line; do COMPREPLY+=("$line"); done
	} < <("$program" __complete bash "${COMP_LINE:0:COMP_POINT}" "$2" 2>/dev/null)
	case $mode in
	files) compopt -o default ;;
	folders) compopt -o dirnames ;;
	program) while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -c -- "$2") ;;
	esac 2>/dev/null
}
complete -F _devtool devtool
