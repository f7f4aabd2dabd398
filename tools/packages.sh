# Sourced by tools/quickstart and tools/test: find and install what the system
# must have.  Needs "top", the checkout, and "log", a file that takes the noise.
#
# The names come from tools/scons/packages.py, read here as text because on a
# fresh machine there is no Python yet.

say() {
	printf '%s: %s\n' "${0##*/}" "$*"
}

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# The package manager of this distribution, or nothing.
package_manager() (
	ID='' ID_LIKE=''
	[ -r /etc/os-release ] && . /etc/os-release
	for word in $ID $ID_LIKE; do
		case $word in
		debian | ubuntu) echo apt ;;
		fedora | rhel | centos) echo dnf ;;
		suse* | opensuse* | sles*) echo zypper ;;
		alpine) echo apk ;;
		arch) echo pacman ;;
		*) continue ;;
		esac
		return
	done
)

# packages MANAGER WHAT...: the packages that bring these, one a line.
packages() {
	manager=$1
	shift
	for what; do
		awk -v manager="$manager" -v what="$what" '
			/^TABLE = """/ { table = 1; next }
			/^"""/ { table = 0 }
			table && $1 == "#" {
				for (i = 3; i <= NF; i++)
					if ($i == manager)
						column = i - 1
			}
			table && $1 == what && $column != "-" {
				gsub(",", "\n", $column)
				print $column
			}' "$top/tools/scons/packages.py"
	done
}

is_installed() {
	case $1 in
	apt) dpkg-query -W -f '${Status}\n' "$2" 2>/dev/null |
		grep -q '^install ok installed' ;;
	dnf | zypper) rpm -q --whatprovides "$2" >/dev/null 2>&1 ;;
	apk) apk info -e "$2" >/dev/null 2>&1 ;;
	pacman) pacman -T "$2" >/dev/null 2>&1 ;;
	esac
}

# run_quietly WHAT COMMAND...: the noise into the log, its end shown on failure.
run_quietly() {
	what=$1
	shift
	printf '\n== %s\n' "$*" >>"$log"
	"$@" >>"$log" 2>&1 </dev/null && return
	status=$?
	if [ "$what" = packages ] && no_network; then
		die "the package mirror cannot be reached: check the network (all of the output: $log)"
	fi
	tail -n 20 "$log" >&2
	say "${what} failed with status $status; all of the output is in $log" >&2
	exit 1
}

no_network() {
	grep -qiE 'could not resolve|temporary failure|network is unreachable|connection (timed out|refused)|could not connect|unable to connect|no route to host|curl error|failed to fetch|transient error|failed retrieving' "$log"
}

install_packages() {
	manager=$1
	shift
	case $manager in
	apt)
		export DEBIAN_FRONTEND=noninteractive
		run_quietly packages apt-get -o DPkg::Lock::Timeout=300 update
		run_quietly packages apt-get -o DPkg::Lock::Timeout=300 install \
			-y --no-install-recommends "$@"
		;;
	dnf) run_quietly packages dnf -y --setopt=install_weak_deps=False install "$@" ;;
	zypper) run_quietly packages zypper --non-interactive install --no-recommends "$@" ;;
	apk) run_quietly packages apk add --no-progress "$@" ;;
	pacman) run_quietly packages pacman -Sy --noconfirm --needed "$@" ;;
	esac
}

# need WHAT...: everything of these is installed afterwards, or we have ended
# with a sentence.  Asks the network for nothing when all is there already.
need() {
	manager=$(package_manager)
	if [ -z "$manager" ]; then
		have_anyway && return
		die "this distribution is not known here; install gcc, pkg-config, scons, Python 3 with its headers, liburing 2.3 or newer, jansson and, for the tests, cmocka and pytest, and run it again"
	fi
	lacking=
	for package in $(packages "$manager" "$@" | sort -u); do
		is_installed "$manager" "$package" || lacking="$lacking $package"
	done
	[ -z "$lacking" ] && return
	if [ "$(id -u)" -ne 0 ]; then
		die "these packages are missing:$lacking; run it with sudo once, or install them"
	fi
	say "installing$lacking"
	# One word a package.
	# shellcheck disable=SC2086
	install_packages "$manager" $lacking
}

# On a distribution that we do not know, a person may have installed it all.
have_anyway() {
	for program in cc pkg-config scons python3; do
		command -v "$program" >/dev/null || return 1
	done
	pkg-config --exists liburing jansson
}

# What root built belongs to the person who called sudo, or their next build
# without it could not write.
give_back() {
	if [ "$(id -u)" -eq 0 ] && [ -n "${SUDO_UID:-}" ] && [ "$SUDO_UID" != 0 ]; then
		for made in "$top/build" "$top/compile_commands.json"; do
			[ ! -e "$made" ] ||
				chown -R "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" "$made"
		done
	fi
}

trap give_back EXIT
trap 'exit 130' HUP INT TERM

# Show the steps of a build: on a terminal the running one in place, else one
# line a folder and program.
show_steps() {
	while IFS= read -r step; do
		printf '%s\n' "$step" >>"$log"
		if [ -t 1 ]; then
			printf '\r\033[K%.79s' "$step"
			continue
		fi
		case $step in
		'  archive '* | '  link '*) printf '%s\n' "$step" ;;
		esac
	done
	[ ! -t 1 ] || printf '\r\033[K'
}

cpus() {
	getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1
}

# build [TARGET] [VARIABLE=VALUE...]: scons, its noise in the log.
build() {
	say "building${*:+ ($*)}"
	printf '\n== scons %s\n' "$*" >>"$log"
	errors=$log.errors
	# A pipe has the status of its end: that of scons goes by a file.
	{
		status=0
		scons -Q -C "$top" -j "$(cpus)" "$@" 2>"$errors" </dev/null || status=$?
		echo "$status" >"$log.status"
	} | show_steps
	cat "$errors" >>"$log"
	status=$(cat "$log.status")
	if [ "$status" -ne 0 ]; then
		tail -n 40 "$errors" >&2
	fi
	rm -f "$errors" "$log.status"
	give_back
	[ "$status" -eq 0 ] || die "the build failed; all of its output is in $log"
}
