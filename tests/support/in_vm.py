"""What a control group grants, tried inside a virtual machine: one JSON object with the facts.

tests/rigs/test_vm.py has this run by the machine's root and judges.  The arguments are a tree
to install (wsgid and its units) and the folder of the application, which is probe.py.  Nothing
is asserted here: this machine goes, and only what is printed comes out of it.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import urllib.request

PATIENCE = 120  # everything is emulated, about ten times slower
SITE = '/srv/site'  # not where PrivateTmp hides it
DROP_IN = pathlib.Path('/etc/systemd/system/wsgid.service.d/test.conf')

# A control group namespace with the group itself at /sys/fs/cgroup, as engines make it.
BOXED = """[Service]
User=root
Group=root
CapabilityBoundingSet=~
NoNewPrivileges=no
RestrictNamespaces=no
SystemCallFilter=
SystemCallFilter=@system-service @mount
ProtectControlGroups=no
ExecStart=
ExecStart=unshare -C -m sh -c 'umount -l /sys/fs/cgroup && \\
    mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec wsgid -c /etc/wsgid/wsgid.conf'
"""


def run(*words) -> str:
    return subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True).stdout


def show(name: str) -> str:
    return run('systemctl', 'show', '--value', '-p', name, 'wsgid').strip()


def wait_until(condition) -> bool:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.2)
    return False


def ask(target: str) -> str:
    """The answer, or what came instead of it."""
    try:
        with urllib.request.urlopen('http://127.0.0.1:8000' + target, timeout=PATIENCE) as answer:
            return answer.read().decode()
    except OSError as e:
        return f'{type(e).__name__}: {e}'


def facts() -> dict:
    return {name: show(name) for name in ('ActiveState', 'Result', 'NRestarts', 'MainPID')}


def begin(config: str, properties: str, more: str = ''):
    """The service with these limits, started; since when its journal is this test's."""
    pathlib.Path('/etc/wsgid/wsgid.conf').write_text(
        f'WSGIApplication probe\nChDir {SITE}\nListen 127.0.0.1:8000\n{config}\n')
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    DROP_IN.write_text(f'[Service]\n{properties}\n{more}')
    since = f'@{time.time():.6f}'
    run('systemctl', 'daemon-reload')
    run('systemctl', 'start', 'wsgid')
    return since


def journal(since: str) -> str:
    return run('journalctl', '--no-pager', '-o', 'cat', '-u', 'wsgid', f'--since={since}')


def end(since: str) -> dict:
    found = {**facts(), 'journal': journal(since)}
    run('systemctl', 'stop', 'wsgid')
    run('systemctl', 'reset-failed', 'wsgid')
    return found


def started(config: str, properties: str, more: str = '', said: str = ' accept mutex ') -> dict:
    """What a server says at its start, that among it."""
    since = begin(config, properties, more)
    wait_until(lambda: said in journal(since) or show('ActiveState') == 'failed')
    return end(since)


def eaten() -> dict:
    """A request that takes more memory than there may be, and one after it."""
    since = begin('Processes 1', 'MemoryMax=200M\nMemorySwapMax=0')
    before = facts()
    ate = ask(f'/eat?bytes={800 << 20}')
    wait_until(lambda: 'exit signal' in journal(since) or show('ActiveState') != 'active')
    return {'before': before, 'ate': ate, 'hello': ask('/hello'), **end(since)}


def main():
    tree, site = sys.argv[1:]
    shutil.copytree(tree, '/', dirs_exist_ok=True, symlinks=True)
    shutil.copytree(site, SITE)
    run('systemd-sysusers')
    short = ('StartServers 1\nMaxRequestWorkers 150', 'MemoryMax=100M')
    warned = 'lower MaxRequestWorkers'
    print(json.dumps({
        'cpus': os.cpu_count(),
        'kernel': os.uname().release,
        'free': started('', ''),
        'quota': started('', 'CPUQuota=50%'),
        'boxed quota': started('', 'CPUQuota=50%', BOXED),
        'cpuset': started('', 'AllowedCPUs=0'),
        'memory': started(*short, said=warned),
        'boxed memory': started(*short, BOXED, said=warned),
        'eaten': eaten(),
    }))


if __name__ == '__main__':
    main()
