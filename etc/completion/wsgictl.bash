# wsgictl: completion for bash.

_wsgictl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local verbs='start stop restart reload graceful graceful-stop upgrade scale status
		fullstatus configtest doctor reopen-logs log-level stacks version help'
	local options='--config --name --pid-file --run-directory --wait --help --version'
	local word verb=
	local i

	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case " $(echo $verbs) " in
		*" $word "*) verb=$word ;;
		esac
	done

	case $prev in
	-c | -f | --config | --pid-file)
		COMPREPLY=($(compgen -f -- "$cur"))
		return
		;;
	--run-directory)
		COMPREPLY=($(compgen -d -- "$cur"))
		return
		;;
	-n | --name)
		_wsgictl_names "$cur"
		return
		;;
	--wait)
		return
		;;
	-k)
		COMPREPLY=($(compgen -W "$verbs" -- "$cur"))
		return
		;;
	log-level)
		COMPREPLY=($(compgen -W 'error warn notice info debug' -- "$cur"))
		return
		;;
	esac

	case $verb in
	'') COMPREPLY=($(compgen -W "$verbs $options" -- "$cur")) ;;
	status) COMPREPLY=($(compgen -W "--json --ready $options" -- "$cur")) ;;
	fullstatus) COMPREPLY=($(compgen -W "--json --ready --query $options" -- "$cur")) ;;
	stop) COMPREPLY=($(compgen -W "--now $options" -- "$cur")) ;;
	start | configtest | doctor)
		COMPREPLY=($(compgen -W "$options $(_wsgictl_wsgid_options)" -- "$cur")
			$(compgen -f -- "$cur"))
		;;
	*) COMPREPLY=($(compgen -W "$options" -- "$cur")) ;;
	esac
}

# The servers that have left a pid file, and the configurations there are.  Their
# names are other users' to choose, and compgen -W would run what stands in them:
# they are compared, never expanded, and only what can be a Name is offered.
_wsgictl_names()
{
	local cur=$1 file name

	COMPREPLY=()
	for file in /run/wsgid/*.pid "${XDG_RUNTIME_DIR:-/nonexistent}"/wsgid/*.pid \
		/etc/wsgid/*.conf; do
		[[ -e $file ]] || continue
		name=${file##*/}
		name=${name%.*}
		[[ $name == *[!A-Za-z0-9._@+-]* ]] && continue
		[[ $name == "$cur"* ]] && COMPREPLY+=("$name")
	done
}

# Every directive is an option.
_wsgictl_wsgid_options()
{
	wsgid -L 2>/dev/null | grep -o -- '--[a-z-]*'
}

complete -o filenames -F _wsgictl wsgictl
