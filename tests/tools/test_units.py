"""The units that are installed, as far as they can be read without a systemd."""

import pathlib
import shutil
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
