#compdef devtool
# Completion of devtool for zsh. Install it with this line in ~/.zshrc, after compinit:
#   source <(devtool completion zsh)
# Or write it to a file _devtool in a folder of $fpath.

_devtool() {
	local program=devtool line tab=$'\t'
	local -a lines values shown
	[[ ${(Q)words[1]} == */* && -x ${(Q)words[1]} ]] && program=${(Q)words[1]}
	lines=("${(@f)$("$program" __complete zsh "${(@Q)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}")
	[[ $PREFIX == --*=* ]] && compset -P '*='
	case $lines[1] in
	files) _files ;;
	folders) _files -/ ;;
	program\ *)
		shift ${lines[1]#* } words
		((CURRENT -= ${lines[1]#* }))
		_normal
		;;
	*)
		for line in "${(@)lines[2,-1]}"; do
			values+=("${line%%$tab*}")
			shown+=("${line/$tab/  -- }")
		done
		compadd -l -d shown -a -- values
		;;
	esac
}

if [[ $funcstack[1] == _devtool ]]; then
	_devtool "$@"
else
	compdef _devtool devtool
fi
