"""What wsgid needs from the system, and its name in each distribution.

tools/packages.sh reads the same table before there is any Python: it takes
the lines between the two triple quotes.  A comma joins several packages, a
minus means that the distribution has none (and wsgid does without).
"""

TABLE = """
# what      apt               dnf                 zypper            apk              pacman
compiler    gcc,libc6-dev     gcc                 gcc               gcc,musl-dev     gcc
pkg-config  pkg-config        pkgconf-pkg-config  pkg-config        pkgconf          pkgconf
scons       scons             python3-scons       scons             scons            scons
python      python3,python3-dev python3,python3-devel python3,python3-devel python3,python3-dev python
venv        python3-venv      -                 -                 -                -
zlib        zlib1g-dev        zlib-devel          zlib-devel        zlib-dev         zlib
expat       libexpat1-dev     expat-devel         libexpat-devel    expat-dev        expat
liburing    liburing-dev      liburing-devel      liburing-devel    liburing-dev     liburing
libsystemd  libsystemd-dev    systemd-devel       systemd-devel     -                systemd-libs
jansson     libjansson-dev    jansson-devel       libjansson-devel  jansson-dev      jansson
ncurses     libncurses-dev    ncurses-devel       ncurses-devel     ncurses-dev      ncurses
cmocka      libcmocka-dev     libcmocka-devel     libcmocka-devel   cmocka-dev       cmocka
pytest      python3-pytest    python3-pytest      python3-pytest    py3-pytest       python-pytest
xdist       python3-pytest-xdist python3-pytest-xdist python3-pytest-xdist py3-pytest-xdist python-pytest-xdist
requests    python3-requests  python3-requests    python3-requests  py3-requests     python-requests
django      python3-django    python3-django      python3-Django    py3-django       python-django
flask       python3-flask     python3-flask       python3-Flask     py3-flask        python-flask
h11         python3-h11       python3-h11         python3-h11       py3-h11          python-h11
fuzzer      clang,libclang-rt-dev clang,compiler-rt clang           clang,compiler-rt clang
sanitizers  -                 libasan,libubsan    -                 -                -
curl        curl              curl                curl              curl             curl
wrk         wrk               wrk                 wrk               wrk              wrk
valgrind    valgrind          valgrind            valgrind          valgrind         valgrind
nginx       nginx,libnginx-mod-stream nginx,nginx-mod-stream nginx      nginx,nginx-mod-stream nginx,nginx-mod-stream
haproxy     haproxy           haproxy             haproxy           haproxy          haproxy
procps      procps            procps-ng           procps            procps           procps-ng
setcap      libcap2-bin       libcap            libcap-progs      libcap           libcap
strace      strace            strace              strace            strace           strace
mandoc      mandoc            mandoc              mandoc            mandoc           mandoc
tini        tini              -                   -                 tini             -
supervisor  supervisor        supervisor          -                 supervisor       supervisor
runit       runit             -                   -                 runit            -
s6          s6                -                   -                 s6               s6
python-source make,xz-utils,libffi-dev,libssl-dev - - -   -
zsh         zsh               zsh                 zsh               zsh              zsh
fish        fish              fish                fish              fish             fish
systemd-rig systemd-container,debootstrap - -     -                 -
vm-rig      qemu-system-x86,e2fsprogs,systemd-container,debootstrap - - - -
container-rig podman,buildah,crun,conmon,catatonit,debootstrap,jq - - -       -
"""

INSTALL = {
    'apt': 'apt install',
    'dnf': 'dnf install',
    'zypper': 'zypper install',
    'apk': 'apk add',
    'pacman': 'pacman -S',
}

# The headers and libraries of a Python beside the distribution's own, by its version.
OTHER_PYTHON = {
    'apt': lambda abi: [f'python{abi}-dev'],
    'dnf': lambda abi: [f'python{abi}-devel'],
    'zypper': lambda abi: [f'python{abi.replace(".", "")}-devel'],
}

# The words of ID and ID_LIKE in os-release(5) that tell the package manager.
MANAGERS = {
    'debian': 'apt', 'ubuntu': 'apt',
    'fedora': 'dnf', 'rhel': 'dnf', 'centos': 'dnf',
    'suse': 'zypper', 'opensuse': 'zypper', 'sles': 'zypper',
    'alpine': 'apk',
    'arch': 'pacman',
}


def rows():
    """The table as {what: {manager: [packages]}}."""
    lines = TABLE.strip().splitlines()
    managers = lines[0].split()[2:]
    return {what: dict(zip(managers, ([] if cell == '-' else cell.split(',') for cell in cells)))
            for what, *cells in (line.split() for line in lines[1:])}


def manager(path='/etc/os-release'):
    """The package manager of the running distribution, or None."""
    words = []
    try:
        with open(path, encoding='utf-8') as lines:
            for line in lines:
                key, _, value = line.strip().partition('=')
                if key == 'ID':
                    words[:0] = [value.strip('"\'')]
                elif key == 'ID_LIKE':
                    words += value.strip('"\'').split()
    except OSError:
        return None
    for word in words:
        for name in (word, word.split('-')[0]):
            if name in MANAGERS:
                return MANAGERS[name]
    return None


def packages(what, which=None):
    """The packages that bring one thing, on one distribution (this one)."""
    return rows()[what].get(which or manager(), [])


def other_python(abi, which=None):
    """The same for a second Python of the distribution; none where it has but one."""
    names = OTHER_PYTHON.get(which or manager())
    return names(abi) if names else []
