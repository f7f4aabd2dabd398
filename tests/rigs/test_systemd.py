"""wsgid as a service of a real systemd, with the units that are installed: 252 and 257.

What can be had without one is in tests/e2e/test_systemd.py, too.
"""

import re

import pytest

from client import get
from machine import ROOT, Machine
from service import Service


@pytest.fixture(scope='module', params=['bookworm', 'trixie'])
def booted(rig, request):
    """A machine of each suite, for all tests of this file."""
    with Machine(rig('systemd-rig'), request.param, ROOT / 'build' / 'rigs' / request.param) as m:
        yield m


@pytest.fixture
def machine(booted):
    """The test's clients are on the machine's network."""
    with booted.network():
        yield booted


@pytest.fixture
def wsgid(machine):
    """wsgid.service as it is installed, with an application in /srv/site, not started."""
    with Service(machine, 'wsgid') as service:
        yield service


HTTP = ('127.0.0.1', 8000)  # wsgid.socket's


def test_the_first_client_starts_the_server(wsgid):
    wsgid.systemctl('start', 'wsgid.socket')
    assert wsgid.show('ActiveState') == 'inactive'
    assert get(HTTP).body == b'hello'
    assert wsgid.show('ActiveState') == 'active'
    assert wsgid.show('User') == 'wsgid'
    assert re.match(r'\d+ workers?: ', wsgid.show('StatusText'))
