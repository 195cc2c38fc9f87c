# Written by `sluice manual` from the tables that the program runs on.

# The overlays of the pipeline files in the command line. compgen expands what it is given, so only plain names are.
_list_sluice_overlays() {
	local each name about
	for each in "${COMP_WORDS[@]:2}"; do
		case $each in
		*.yaml | *.yml)
			sluice check --overlays "${each/#\~/$HOME}" 2>/dev/null | while IFS=$'\t' read -r name about; do
				case $name in
				*[!A-Za-z0-9_.-]*) ;;
				*) printf '%s ' "$name" ;;
				esac
			done
			;;
		esac
	done
}

# Adds the names, one in a line, to what may be completed: they may hold spaces.
_add_sluice_files() {
	local each
	while IFS= read -r each; do
		COMPREPLY+=("$each")
	done
}

_sluice() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} flags= takes= operands= files=
	local values= each choices= head=
	if [ "$COMP_CWORD" -eq 1 ]; then
		COMPREPLY=($(compgen -W "@SUBCOMMANDS@ --help --version" -- "$word"))
		return
	fi
	! declare -F "_sluice_${COMP_WORDS[1]}" >/dev/null || "_sluice_${COMP_WORDS[1]}"
	for each in $values; do
		[ "${each%%=*}" != "$before" ] || choices=${each#*=}
	done
	if [ -n "$choices" ]; then
		case $choices in
		*OVERLAYS*)
			choices=${choices/OVERLAYS/$(_list_sluice_overlays)}
			[ "$word" = "${word%,*}" ] || head=${word%,*},
			;;
		esac
		COMPREPLY=($(compgen -P "$head" -W "${choices//|/ }" -- "${word##*,}"))
		return
	fi
	case " $takes " in
	*" $before "*)
		_add_sluice_files < <(compgen -f -- "$word")
		return
		;;
	esac
	case $word in
	-*) COMPREPLY=($(compgen -W "$flags" -- "$word")) ;;
	*)
		COMPREPLY=($(compgen -W "$operands" -- "$word"))
		[ -z "$files" ] || _add_sluice_files < <(compgen -d -S / -- "$word"; compgen -f -X "!$files" -- "$word")
		;;
	esac
}
complete -o filenames -F _sluice sluice
