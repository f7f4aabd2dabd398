"""A unit of wsgid on a machine: its configuration, its drop-ins, its state, its journal."""

import functools
import pathlib
import time

import waiting
from machine import Machine

PATIENCE = 40

APP = '''
def application(environ, start_response):
    start_response('200 OK', [('Content-Length', '5')])
    return [b'hello']
'''


# Whose condition runs a command each time.
wait_until = functools.partial(waiting.wait_until, timeout=PATIENCE, pause=0.1)


class Service:
    """with Service(machine, 'wsgid') as s: s.systemctl('start', 'wsgid')."""

    def __init__(self, machine: Machine, name: str, site: str = '/srv/site'):
        self.machine, self.name, self.site = machine, name, site
        self.config = f'/etc/wsgid/{name.rpartition("@")[2]}.conf'

    def __enter__(self):
        self._since = f'@{time.time():.6f}'
        self.write_app(APP)
        self.configure()
        return self

    def __exit__(self, *_):
        """As if it had never been started or changed."""
        units = [f'{self.name}.socket', f'{self.name}.service']
        self.systemctl('stop', *units)
        self.systemctl('reset-failed', *units, check=False)
        for unit in units:
            drop_in = self._drop_in(unit)
            drop_in.unlink(missing_ok=True)
        self.systemctl('daemon-reload')

    # --- what it is made of ----------------------------------------------------------------

    def write_app(self, text: str):
        self.machine.write(f'{self.site}/app.py', text)

    def configure(self, text: str = ''):
        """Its configuration: the application's lines, and these."""
        self.machine.write(self.config, f'WSGIApplication app\nChDir {self.site}\n{text}\n')

    def _drop_in(self, unit: str) -> pathlib.Path:
        return self.machine.path(f'/etc/systemd/system/{unit}.d/test.conf')

    def drop_in(self, text: str, unit: str = ''):
        """What "systemctl edit" would write, for the service or another unit."""
        path = self._drop_in(unit or f'{self.name}.service')
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.systemctl('daemon-reload')

    # --- what is done with it, and seen of it --------------------------------------------------

    def systemctl(self, *words, check: bool = True):
        return self.machine.run('systemctl', *words, check=check)

    def start(self):
        self.systemctl('start', self.name)

    def show(self, name: str, unit: str = '') -> str:
        """A property of the unit."""
        return self.systemctl('show', '--value', '-p', name,
                              unit or f'{self.name}.service').stdout.strip()

    def wait_for(self, name: str, value: str):
        wait_until(lambda: self.show(name) == value, f'{name}={value}')

    def journal(self, *words) -> str:
        """What the unit has said in this test."""
        return self.machine.run('journalctl', '--no-pager', '-o', 'cat', '-u', self.name,
                                f'--since={self._since}', *words).stdout
