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
		COMPREPLY=($(compgen -W "run check stages schema status reload rollback canary lineage dead listen providers prune new-stage manual generate replay verify analyze compare gate evidence audit report conform --help --version" -- "$word"))
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
_sluice_run() { flags="--state --lift --trace --enable --disable --set --stage-path --log-level --log-format --help" takes="--state --trace --enable --disable --set --stage-path --log-level --log-format" values="--enable=OVERLAYS --disable=OVERLAYS|all --log-level=debug|info|warn|error --log-format=text|json" files='*.yaml'; }
_sluice_check() { flags="--print --overlays --connect --enable --disable --set --stage-path --json --log-level --log-format --help" takes="--enable --disable --set --stage-path --log-level --log-format" values="--enable=OVERLAYS --disable=OVERLAYS|all --log-level=debug|info|warn|error --log-format=text|json" files='*.yaml'; }
_sluice_stages() { flags="--stage-path --json --log-level --log-format --help" takes="--stage-path --log-level --log-format" values="--log-level=debug|info|warn|error --log-format=text|json" operands="$(sluice stages 2>/dev/null | awk '{ print $1 "/" $2 }')" files='*.so'; }
_sluice_schema() { flags="--stage-path --json --log-level --log-format --help" takes="--stage-path --log-level --log-format" values="--log-level=debug|info|warn|error --log-format=text|json"; }
_sluice_status() { flags="--admin --json --log-level --log-format --help" takes="--admin --log-level --log-format" values="--log-level=debug|info|warn|error --log-format=text|json"; }
_sluice_reload() { flags="--guard --admin --json --log-level --log-format --help" takes="--guard --admin --log-level --log-format" values="--log-level=debug|info|warn|error --log-format=text|json"; }
_sluice_rollback() { flags="--baseline --lift --admin --json --log-level --log-format --help" takes="--admin --log-level --log-format" values="--log-level=debug|info|warn|error --log-format=text|json"; }
_sluice_canary() { flags="--weight --enable --disable --admin --json --log-level --log-format --help" takes="--weight --enable --disable --admin --log-level --log-format" values="--enable=OVERLAYS|none|file --disable=OVERLAYS|none|file --log-level=debug|info|warn|error --log-format=text|json" operands="plan start status step promote abort" files='*.yaml'; }
_sluice_lineage() { flags="--admin --json --log-level --log-format --help" takes="--admin --log-level --log-format" values="--log-level=debug|info|warn|error --log-format=text|json"; }
_sluice_dead() { flags="--enable --disable --set --stage-path --json --log-level --log-format --help" takes="--enable --disable --set --stage-path --log-level --log-format" values="--enable=OVERLAYS --disable=OVERLAYS|all --log-level=debug|info|warn|error --log-format=text|json" operands="list show replay drop" files='*.yaml'; }
_sluice_listen() { flags="--output --log-level --log-format --help" takes="--output --log-level --log-format" values="--log-level=debug|info|warn|error --log-format=text|json"; }
_sluice_providers() { flags="--handshakes --json --log-level --log-format --help" takes="--log-level --log-format" values="--log-level=debug|info|warn|error --log-format=text|json"; }
_sluice_prune() { flags="--older --dry-run --enable --disable --set --stage-path --json --log-level --log-format --help" takes="--older --enable --disable --set --stage-path --log-level --log-format" values="--enable=OVERLAYS --disable=OVERLAYS|all --log-level=debug|info|warn|error --log-format=text|json" files='*.yaml'; }
_sluice_new-stage() { flags="--log-level --log-format --help" takes="--log-level --log-format" values="--log-level=debug|info|warn|error --log-format=text|json" operands="auth parse idempotency queue persist"; }
_sluice_manual() { flags="--stage-path --log-level --log-format --help" takes="--stage-path --log-level --log-format" values="--log-level=debug|info|warn|error --log-format=text|json"; }
_sluice_generate() { flags="--count --seed --duplicates --conflicts --bad-signatures --malformed --streams --size --corpus --output --log-level --log-format --help" takes="--count --seed --duplicates --conflicts --bad-signatures --malformed --streams --size --corpus --output --log-level --log-format" values="--log-level=debug|info|warn|error --log-format=text|json"; }
_sluice_replay() { flags="--input --url --output --concurrency --rate --arrivals --seed --requests --duration --sign --template --retries --timeout --fresh --keep-input --admin --log-level --log-format --help" takes="--input --url --output --concurrency --rate --arrivals --seed --requests --duration --sign --template --retries --timeout --admin --log-level --log-format" values="--arrivals=uniform|poisson --log-level=debug|info|warn|error --log-format=text|json"; }
_sluice_verify() { flags="--input --arm --enable --disable --set --stage-path --json --log-level --log-format --help" takes="--input --arm --enable --disable --set --stage-path --log-level --log-format" values="--arm=a|b --enable=OVERLAYS --disable=OVERLAYS|all --log-level=debug|info|warn|error --log-format=text|json" files='*.yaml'; }
_sluice_analyze() { flags="--export --output --trace --arm --pipeline --tried --json --log-level --log-format --help" takes="--export --output --trace --arm --pipeline --tried --log-level --log-format" values="--export=text|json --arm=a|b --log-level=debug|info|warn|error --log-format=text|json"; }
_sluice_compare() { flags="--scenario --about --pipeline --pipeline-b --output --a --b --aa --each --together --duet --single --pairs --lives --sequential --block --rate --concurrency --arrivals --streams --size --duplicates --corpus --seed --sign --template --prepare --timeout --margin --alpha --gate --rollback --keep-stores --profile --set --stage-path --json --log-level --log-format --help" takes="--scenario --about --pipeline --pipeline-b --output --a --b --together --pairs --lives --block --rate --concurrency --arrivals --streams --size --duplicates --corpus --seed --sign --template --prepare --timeout --margin --alpha --gate --set --stage-path --log-level --log-format" values="--a=OVERLAYS|none|file --b=OVERLAYS|none|file --together=some|all|none --arrivals=uniform|poisson --log-level=debug|info|warn|error --log-format=text|json" files='*.yaml'; }
_sluice_gate() { flags="--baseline --json --log-level --log-format --help" takes="--baseline --log-level --log-format" values="--log-level=debug|info|warn|error --log-format=text|json"; }
_sluice_evidence() { flags="--sign --key --log-level --log-format --help" takes="--sign --key --log-level --log-format" values="--log-level=debug|info|warn|error --log-format=text|json" operands="pack verify"; }
_sluice_audit() { flags="--heads --enable --disable --set --stage-path --json --log-level --log-format --help" takes="--heads --enable --disable --set --stage-path --log-level --log-format" values="--enable=OVERLAYS --disable=OVERLAYS|all --log-level=debug|info|warn|error --log-format=text|json" operands="verify" files='*.yaml'; }
_sluice_report() { flags="--log-level --log-format --help" takes="--log-level --log-format" values="--log-level=debug|info|warn|error --log-format=text|json"; }
_sluice_conform() { flags="--only --request --expect --store --build --timeout --seed --scripts --replay --quick --long --set --json --log-level --log-format --help" takes="--only --request --expect --store --build --timeout --seed --scripts --replay --set --log-level --log-format" values="--log-level=debug|info|warn|error --log-format=text|json" files='*.so'; }
