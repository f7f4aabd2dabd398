"""The units that are installed, as far as they can be read without a systemd."""

import pathlib
import shutil
import socket
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
ETC = TOP / 'etc' / 'systemd'


def settings_of(name: str) -> list:
    """The lines that are neither empty nor a comment."""
    lines = (ETC / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


def test_the_template_is_the_service_but_for_the_name():
    service = settings_of('wsgid.service')
    expected = [line.replace('wsgid/wsgid.conf', 'wsgid/%i.conf')
                .replace('Description=wsgid, WSGI server', 'Description=wsgid, WSGI server of %i')
                for line in service]
    assert settings_of('wsgid@.service') == expected


def test_a_mistake_in_the_configuration_is_not_tried_again():
    assert 'RestartPreventExitStatus=78' in settings_of('wsgid.service')
    assert 'Restart=on-failure' in settings_of('wsgid.service')


def test_logs_are_reopened_after_rotation_and_nothing_is_restarted():
    text = (TOP / 'etc' / 'logrotate.conf').read_text()
    assert 'wsgictl reopen-logs' in text
    assert 'restart' not in text and 'kill' not in text


@pytest.mark.parametrize('statuses, expected', [
    ({'one': 0, 'other': 0}, 0),
    ({'one': 0, 'stale': 3}, 0),
    ({'bad': 4, 'good': 0}, 1),
    ({}, 0),
])
def test_a_rotation_fails_for_a_server_that_runs_and_not_for_a_stale_socket(tmp_path, statuses,
                                                                            expected):
    text = (TOP / 'etc' / 'logrotate.conf').read_text()
    script = text.split('postrotate\n')[1].split('\tendscript')[0]
    wsgictl = tmp_path / 'wsgictl'
    wsgictl.write_text('#!/bin/sh\nexit "$(cat "$3/$5.status")"\n')
    wsgictl.chmod(0o755)
    for name, status in statuses.items():
        (tmp_path / f'{name}.status').write_text(f'{status}')
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(str(tmp_path / f'{name}.ctl'))
    script = script.replace('/usr/bin/wsgictl', str(wsgictl)).replace('/run/wsgid', str(tmp_path))
    assert subprocess.run(['sh', '-c', script]).returncode == expected


def test_who_rotates_need_not_read_what_root_has_written():
    text = (TOP / 'etc' / 'logrotate.conf').read_text()
    assert '\tsu wsgid wsgid\n' in text and '\tnocompress\n' in text


def test_the_exposure_is_at_most_2():
    program = shutil.which('systemd-analyze')
    if program is None:
        pytest.skip('systemd-analyze is not installed')
    for name in ('wsgid.service', 'wsgid@.service'):
        # The threshold is in tenths.
        run = subprocess.run([program, 'security', '--offline=true', '--threshold=20',
                              '--no-pager', str(ETC / name)],
                             text=True, capture_output=True)
        if 'unrecognized option' in run.stderr:
            pytest.skip('this systemd-analyze looks at loaded units only')
        assert run.returncode == 0, run.stdout[-2000:] + run.stderr
