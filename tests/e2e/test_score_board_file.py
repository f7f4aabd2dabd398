"""ScoreBoardFile: a scoreboard that is not in the run directory, and is found all the same."""

import subprocess

import pytest

from client import get
from server import BUILD, PYTHON, ROOT, clean_environment


def run(*words):
    done = subprocess.run(list(map(str, words)), env=clean_environment(), text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def conf(directory, apps):
    """Its relative path begins at the directory of the file."""
    path = directory / 'shop.conf'
    path.write_text(f'WSGIApplication probe\nChDir {apps}\nProcesses 2\n'
                    'Listen 127.0.0.1:0\nScoreBoardFile elsewhere\n')
    return path


def test_wsgictl_and_the_tool_find_it_through_the_run_directory(serve, conf, directory):
    server = serve('-c', conf, bind=None)
    server.wait_for_ready(2)
    assert get(server.address, '/hello').status == 200
    board = directory / 'elsewhere'
    link = server.run_directory / 'shop.scoreboard'
    assert link.is_symlink() and link.resolve() == board
    pages = sorted(path.name for path in directory.glob('elsewhere.*'))
    assert pages == ['elsewhere.0', 'elsewhere.1']
    text = run(BUILD / 'wsgictl', '--run-directory', server.run_directory, 'status')
    assert str(server.pid) in text
    text = run(PYTHON, ROOT / 'tools' / 'scoreboard.py', server.run_directory)
    assert str(server.pid) in text and 'probe' in text
    assert run(PYTHON, ROOT / 'tools' / 'scoreboard.py', board)
    server.stop()
    assert sorted(path.name for path in directory.iterdir()) == ['0', 'shop.conf']


def test_a_second_server_on_the_same_file_is_refused(serve, new_server, conf, directory):
    first = serve('-c', conf, bind=None)
    second = new_server('probe', '--score-board-file', directory / 'elsewhere')
    assert second.fails() == 1
    assert (f'scoreboard {directory}/elsewhere is in use by wsgid "shop" (pid {first.pid}); '
            'stop that or choose another ScoreBoardFile') in second.log.text()
    assert get(first.address, '/hello').status == 200
    assert first.board()['board']['master_pid'] == first.pid
    # What a killed server has left is in nobody's way.
    first.discard()
    third = serve('probe', '--score-board-file', directory / 'elsewhere')
    assert third.board()['board']['master_pid'] == third.pid
    third.stop()


def test_a_file_that_is_no_scoreboard_is_a_mistake(new_server, directory):
    precious = directory / 'precious'
    precious.write_text('precious')
    server = new_server('probe', '--score-board-file', precious)
    assert server.fails() == 78
    assert f'{precious}: there is a file that is no scoreboard' in server.log.text()
    assert precious.read_text() == 'precious'


def test_a_reload_leaves_it_where_it_is_and_says_so(serve, conf, directory):
    server = serve('-c', conf, bind=None)
    conf.write_text(conf.read_text().replace('elsewhere', 'nowhere'))
    said = server.reload()
    assert 'ScoreBoardFile changes only when wsgid is stopped and started' in said
    assert server.board()['board']['generation'] == 2
    assert (directory / 'elsewhere').exists() and not (directory / 'nowhere').exists()
    server.stop()
