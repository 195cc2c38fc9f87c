# Written by `sluice manual` from the tables that the program runs on.
_sluice() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} flags= takes= operands= files=
	if [ "$COMP_CWORD" -eq 1 ]; then
		COMPREPLY=($(compgen -W "@SUBCOMMANDS@ --help --version" -- "$word"))
		return
	fi
	! declare -F "_sluice_${COMP_WORDS[1]}" >/dev/null || "_sluice_${COMP_WORDS[1]}"
	case " $takes " in
	*" $before "*)
		COMPREPLY=($(compgen -f -- "$word"))
		return
		;;
	esac
	case $word in
	-*) COMPREPLY=($(compgen -W "$flags" -- "$word")) ;;
	*)
		COMPREPLY=($(compgen -W "$operands" -- "$word"))
		[ -z "$files" ] || COMPREPLY+=($(compgen -d -S / -- "$word") $(compgen -f -X "!$files" -- "$word"))
		;;
	esac
}
complete -o filenames -F _sluice sluice
