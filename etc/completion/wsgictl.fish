# wsgictl: completion for fish.

set -l verbs start stop restart reload graceful graceful-stop upgrade scale status fullstatus configtest doctor reopen-logs log-level stacks version

# Files are other users' to name: what can be no Name is not offered.
function __wsgictl_names
    for file in /run/wsgid/*.pid $XDG_RUNTIME_DIR/wsgid/*.pid /etc/wsgid/*.conf
        string replace -r '.*/(.*)\..*' '$1' -- $file | string match -r '^[A-Za-z0-9._@+-]+$'
    end
end

complete -c wsgictl -f
complete -c wsgictl -n "not __fish_seen_subcommand_from $verbs" -a start -d 'Start it in the background'
complete -c wsgictl -n "not __fish_seen_subcommand_from $verbs" -a stop -d 'Finish the running requests, and end'
complete -c wsgictl -n "not __fish_seen_subcommand_from $verbs" -a graceful-stop -d 'The same, whatever SignalStyle says'
complete -c wsgictl -n "not __fish_seen_subcommand_from $verbs" -a restart -d 'End all children at once, start new ones'
complete -c wsgictl -n "not __fish_seen_subcommand_from $verbs" -a 'reload graceful' -d 'New configuration and application'
complete -c wsgictl -n "not __fish_seen_subcommand_from $verbs" -a upgrade -d 'The program that is installed now takes over'
complete -c wsgictl -n "not __fish_seen_subcommand_from $verbs" -a scale -d 'Have so many processes until the next reload'
complete -c wsgictl -n "not __fish_seen_subcommand_from $verbs" -a status -d 'One screen'
complete -c wsgictl -n "not __fish_seen_subcommand_from $verbs" -a fullstatus -d 'And a row for each worker'
complete -c wsgictl -n "not __fish_seen_subcommand_from $verbs" -a configtest -d 'Check the configuration'
complete -c wsgictl -n "not __fish_seen_subcommand_from $verbs" -a doctor -d 'Which Python would serve, and can it?'
complete -c wsgictl -n "not __fish_seen_subcommand_from $verbs" -a reopen-logs -d 'After they were rotated'
complete -c wsgictl -n "not __fish_seen_subcommand_from $verbs" -a log-level -d 'Show it, or set it until the next reload'
complete -c wsgictl -n "not __fish_seen_subcommand_from $verbs" -a stacks -d 'Where the threads of children are'
complete -c wsgictl -n "not __fish_seen_subcommand_from $verbs" -a version -d 'Of wsgictl, and of the server'
complete -c wsgictl -n '__fish_seen_subcommand_from log-level' -a 'error warn notice info debug'
complete -c wsgictl -n '__fish_seen_subcommand_from start configtest doctor' -F
complete -c wsgictl -n '__fish_seen_subcommand_from status fullstatus doctor' -l json -d 'For programs'
complete -c wsgictl -n '__fish_seen_subcommand_from status fullstatus' -l ready -d 'Fail where no child serves'
complete -c wsgictl -n '__fish_seen_subcommand_from fullstatus' -l query -d 'Query strings, too'
complete -c wsgictl -n '__fish_seen_subcommand_from stop' -l now -d 'Finish nothing'
complete -c wsgictl -s c -l config -r -F -d 'The server with this configuration'
complete -c wsgictl -s n -l name -x -d 'The server of this name' -a '(__wsgictl_names)'
complete -c wsgictl -l pid-file -r -F -d 'The server that holds this file'
complete -c wsgictl -l run-directory -x -a '(__fish_complete_directories)' -d 'Look for servers here'
complete -c wsgictl -l wait -x -d 'Do not wait longer for the effect'
complete -c wsgictl -s h -l help -d 'The usual options'
