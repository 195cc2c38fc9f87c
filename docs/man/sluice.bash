# Written by `sluice manual` from the tables that the program runs on.
_sluice() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} flags= takes= operands= files=
	if [ "$COMP_CWORD" -eq 1 ]; then
		COMPREPLY=($(compgen -W "run check stages schema status lineage new-stage manual generate replay verify analyze compare gate evidence audit report conform --help --version" -- "$word"))
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
_sluice_run() { flags="--trace --enable --disable --set --stage-path --log-level --log-format --help" takes="--trace --enable --disable --set --stage-path --log-level --log-format" files='*.yaml'; }
_sluice_check() { flags="--print --connect --enable --disable --set --stage-path --json --log-level --log-format --help" takes="--enable --disable --set --stage-path --log-level --log-format" files='*.yaml'; }
_sluice_stages() { flags="--stage-path --json --log-level --log-format --help" takes="--stage-path --log-level --log-format" operands="$(sluice stages 2>/dev/null | awk '{ print $1 "/" $2 }')" files='*.so'; }
_sluice_schema() { flags="--stage-path --json --log-level --log-format --help" takes="--stage-path --log-level --log-format"; }
_sluice_status() { flags="--admin --json --log-level --log-format --help" takes="--admin --log-level --log-format"; }
_sluice_lineage() { flags="--admin --json --log-level --log-format --help" takes="--admin --log-level --log-format"; }
_sluice_new-stage() { flags="--log-level --log-format --help" takes="--log-level --log-format" operands="auth parse idempotency queue persist"; }
_sluice_manual() { flags="--stage-path --log-level --log-format --help" takes="--stage-path --log-level --log-format"; }
_sluice_generate() { flags="--count --seed --duplicates --conflicts --bad-signatures --malformed --streams --size --corpus --output --log-level --log-format --help" takes="--count --seed --duplicates --conflicts --bad-signatures --malformed --streams --size --corpus --output --log-level --log-format"; }
_sluice_replay() { flags="--input --url --output --concurrency --rate --arrivals --seed --requests --duration --sign --template --retries --timeout --fresh --keep-input --admin --log-level --log-format --help" takes="--input --url --output --concurrency --rate --arrivals --seed --requests --duration --sign --template --retries --timeout --admin --log-level --log-format"; }
_sluice_verify() { flags="--input --arm --enable --disable --set --stage-path --json --log-level --log-format --help" takes="--input --arm --enable --disable --set --stage-path --log-level --log-format" files='*.yaml'; }
_sluice_analyze() { flags="--export --output --trace --arm --pipeline --json --log-level --log-format --help" takes="--export --output --trace --arm --pipeline --log-level --log-format"; }
_sluice_compare() { flags="--scenario --about --pipeline --pipeline-b --output --a --b --aa --each --duet --single --pairs --sequential --block --rate --concurrency --arrivals --streams --size --duplicates --corpus --seed --sign --template --prepare --timeout --margin --alpha --gate --rollback --keep-stores --set --stage-path --json --log-level --log-format --help" takes="--scenario --about --pipeline --pipeline-b --output --a --b --pairs --block --rate --concurrency --arrivals --streams --size --duplicates --corpus --seed --sign --template --prepare --timeout --margin --alpha --gate --set --stage-path --log-level --log-format" files='*.yaml'; }
_sluice_gate() { flags="--baseline --json --log-level --log-format --help" takes="--baseline --log-level --log-format"; }
_sluice_evidence() { flags="--log-level --log-format --help" takes="--log-level --log-format" operands="pack verify"; }
_sluice_audit() { flags="--heads --enable --disable --set --stage-path --json --log-level --log-format --help" takes="--heads --enable --disable --set --stage-path --log-level --log-format" operands="verify" files='*.yaml'; }
_sluice_report() { flags="--log-level --log-format --help" takes="--log-level --log-format"; }
_sluice_conform() { flags="--only --request --timeout --set --json --log-level --log-format --help" takes="--only --request --timeout --set --log-level --log-format" files='*.so'; }
