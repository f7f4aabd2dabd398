"""The check of layers finds what it is there to find."""

import os
import sys

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, 'tools'))

import check_layers  # noqa: E402


def breaches(tmp_path, path, text, others=()):
    """What the check says about one file in a house of its own."""
    for name in ('src/base/err.h', 'src/http/request.h', 'src/python/app.h',
                 'src/python/interp.h', 'src/lock/accept_mutex_priv.h', path, *others):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text('')
    (tmp_path / path).write_text(text)
    return check_layers.check(str(tmp_path))[0]


@pytest.mark.parametrize('path, include', [
    ('src/http/request.c', '"base/err.h"'),
    ('src/http/request.c', '"http/request.h"'),
    ('src/child/child.c', '"python/app.h"'),
    ('src/lock/flock.c', '"lock/accept_mutex_priv.h"'),
    ('src/io/uring.c', '<liburing.h>'),
    ('src/python/interp.c', '<Python.h>'),
    ('src/master/notify.c', '<systemd/sd-daemon.h>'),
    ('src/master/journal.c', '<systemd/sd-journal.h>'),
    ('src/child/child.c', '"wsgid/scoreboard.h"'),
    ('src/wsgid/main.c', '"built_with.h"'),
    ('tests/unit/http/test_request.c', '<cmocka.h>'),
])
def test_what_is_allowed_passes(tmp_path, path, include):
    assert breaches(tmp_path, path, f'#include {include}\n') == []


@pytest.mark.parametrize('path, include, part', [
    ('src/base/err.c', '"http/request.h"', 'src/base may not see src/http (it may see nothing)'),
    ('src/http/chunked.c', '"python/app.h"', 'may not see src/python'),
    ('src/child/child.c', '"python/interp.h"', 'only python/app.h'),
    ('src/child/child.c', '"lock/accept_mutex_priv.h"', 'is private to src/lock'),
    ('src/io/epoll.c', '<liburing.h>', 'for src/io/uring.c and tests/support/wait_aside.c alone'),
    ('src/child/child.c', '<Python.h>', 'for src/python/'),
    ('src/master/master.c', '<systemd/sd-daemon.h>', 'for src/master/notify.c alone'),
    ('src/master/notify.c', '<systemd/sd-journal.h>', 'for src/master/journal.c alone'),
    ('src/http/request.c', '<cmocka.h>', 'for tests/ alone'),
    ('src/http/request.c', '"wsgid/scoreboard.h"', 'may not see the scoreboard'),
    ('src/http/request.c', '"request.h"', 'needs its folder: "http/request.h"'),
    ('src/http/request.c', '"http/gone.h"', 'does not exist'),
    ('tests/unit/http/test_request.c', '"python/app.h"', 'may not see src/python'),
])
def test_what_is_forbidden_is_named_with_file_and_line(tmp_path, path, include, part):
    found = breaches(tmp_path, path, f'\n  #  include {include}\n')
    assert len(found) == 1
    assert found[0].startswith(f'{path}:2: ') and part in found[0]


def test_a_folder_outside_the_table_is_named(tmp_path):
    assert breaches(tmp_path, 'src/extra/file.c', '') == [
        'src/extra: this folder is not in tools/scons/layers.py']


def test_a_test_of_no_folder_is_named(tmp_path):
    assert breaches(tmp_path, 'tests/unit/extra/test_file.c', '') == [
        'tests/unit/extra/test_file.c: there is no folder src/extra']


def test_the_table_has_no_cycle():
    assert list(check_layers.check_table()) == []
