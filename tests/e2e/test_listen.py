"""Where the server listens: TCP, IPv6, unix:, several at once, and who is in the way."""

import json
import os
import re
import socket
import stat
import subprocess

import pytest

from client import Connection, exchange, get
from server import BUILD, IS_ROOT, PATIENCE, free_port, run_wsgid, wait_until


def has_ipv6() -> bool:
    try:
        free_port(socket.AF_INET6, '::1')
    except OSError:
        return False
    return True


def test_several_addresses_are_served_alike(serve, directory):
    server = serve('probe', '-w', '2', '-b', '127.0.0.2:0', '-b', f'unix:{directory}/s')
    assert len(server.addresses) == 3
    for _ in range(10):
        for address in (server.address,
                        ('127.0.0.2', int(server.addresses[1].rsplit(':', 1)[1])),
                        directory / 's'):
            assert get(address, '/hello').status == 200
    server.stop()
    assert not (directory / 's').exists()


@pytest.mark.skipif(not has_ipv6(), reason='there is no IPv6 here')
def test_ipv6_is_written_in_brackets(serve):
    server = serve('probe', '-w', '1', bind='[::1]:0')
    assert server.url.startswith('http://[::1]:')
    with Connection(server.address) as c:
        environ = json.loads(c.get('/show').body)
        assert environ['REMOTE_ADDR'] == '::1'
        assert environ['SERVER_ADDR'] == '::1'
        c.send('GET /show HTTP/1.1\r\nHost: [::1]:80\r\n\r\n')
        assert json.loads(c.response().body)['SERVER_NAME'] == '[::1]'


def test_all_addresses_of_a_port(serve):
    port = free_port()
    server = serve('probe', '-w', '1', bind=str(port))
    assert get(('127.0.0.1', port), '/hello').status == 200
    if has_ipv6():
        assert get(('::1', port), '/hello').status == 200
    server.stop()


def test_port_in_the_environment_is_where_to_listen(serve, apps):
    """As Heroku, Cloud Run and Knative set it."""
    port = free_port()
    server = serve('probe', '-w', '1', bind=None, env={'PORT': str(port)})
    assert get(('127.0.0.1', port), '/hello').status == 200
    assert (server.run_directory / f'{port}.pid').exists()
    server.stop()
    done = run_wsgid('-t', 'probe', cwd=apps, env={'PORT': 'http'})
    assert done.returncode == 78
    assert 'PORT: Listen: "http" is no port' in done.stderr


# --- unix: ----------------------------------------------------------------------------------

def test_a_unix_socket_has_the_mode_it_was_given(serve, directory):
    path = directory / 'site.sock'
    server = serve('probe', '-w', '1', bind=f'unix:{path}')
    # As Apache and nginx: who may connect is the directory's business.
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    environ = json.loads(exchange(path, 'GET /show HTTP/1.1\r\nHost: site:81\r\n\r\n').body)
    assert environ['REMOTE_ADDR'] == ''
    assert environ['SERVER_NAME'] == 'site' and environ['SERVER_PORT'].isdigit()
    server.stop()
    assert not path.exists()
    conf = directory / 'wsgid.conf'
    conf.write_text(f'Listen unix:{path} mode=0606\n')
    server = serve('-c', conf, 'probe', '-w', '1', bind=None)
    assert stat.S_IMODE(path.stat().st_mode) == 0o606


@pytest.mark.skipif(not IS_ROOT, reason='only root can give files away')
def test_a_unix_socket_has_the_owner_it_was_given(serve, directory):
    path = directory / 'site.sock'
    conf = directory / 'wsgid.conf'
    conf.write_text(f'Listen unix:{path} mode=0600 owner=nobody group=daemon\n')
    serve('-c', conf, 'probe', '-w', '1', bind=None)
    assert (path.stat().st_uid, path.stat().st_gid) == (65534, 1)


def test_a_reload_gives_the_socket_file_what_its_line_says_now(serve, directory):
    path = directory / 'site.sock'
    conf = directory / 'wsgid.conf'

    def said():
        st = path.stat()
        return stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid
    conf.write_text(f'Listen unix:{path} mode=0600\n')
    server = serve('-c', conf, 'probe', '-w', '1', bind=None)
    made = path.stat().st_ino
    to_others = ' owner=nobody group=daemon' if IS_ROOT else ''
    others = (65534, 1) if IS_ROOT else said()[1:]
    conf.write_text(f'Listen unix:{path} mode=0660{to_others}\n')
    assert 'reload done' in server.reload()
    assert said() == (0o660, *others)
    # What it does not say stays, as somebody may have changed it by hand.
    path.chmod(0o640)
    conf.write_text(f'Listen unix:{path}\n')
    assert 'reload done' in server.reload()
    assert said() == (0o640, *others)
    assert path.stat().st_ino == made
    # Another's file is none of ours.
    path.rename(directory / 'moved.sock')
    path.write_text('precious')
    path.chmod(0o600)
    conf.write_text(f'Listen unix:{path} mode=0666\n')
    server.reload()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    server.stop()


def test_a_stale_socket_is_replaced_and_a_living_one_is_not(serve, new_server, directory):
    path = directory / 'site.sock'
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    first = serve('probe', '-w', '1', bind=f'unix:{path}')
    second = new_server('probe', '-w', '1', bind=f'unix:{path}')
    assert second.fails() != 0
    assert str(path) in second.log.text()
    assert get(path, '/hello').status == 200
    first.stop()


def test_a_file_in_the_way_is_left_alone(new_server, directory):
    path = directory / 'site.sock'
    path.write_text('precious')
    server = new_server('probe', bind=f'unix:{path}')
    assert server.fails() != 0
    assert str(path) in server.log.text() and path.read_text() == 'precious'


@pytest.mark.parametrize('several', [False, True])
def test_a_reload_makes_a_removed_socket_file_anew(serve, directory, several):
    path = directory / 'site.sock'
    conf = directory / 'wsgid.conf'
    conf.write_text(f'Listen unix:{path} mode=0606\n' + 'Listen 127.0.0.1:0\n' * several)
    server = serve('-c', conf, 'probe', '-w', '1', bind=None)

    def reload():
        return subprocess.run([str(BUILD / 'wsgictl'), '--run-directory', server.run_directory,
                               'reload'], capture_output=True, text=True, timeout=PATIENCE)
    for _ in range(2):
        path.unlink()
        run = reload()
        warning = f'Listen unix:{path}: somebody had removed the socket file; there is a new one'
        assert run.returncode == 0 and f'warning: {warning}\n' in run.stdout, run
        assert warning in server.log.text()
        assert get(path, '/hello').status == 200
        assert stat.S_IMODE(path.stat().st_mode) == 0o606
    made = path.stat().st_ino
    assert 'warning' not in reload().stdout
    assert path.stat().st_ino == made and get(path, '/hello').status == 200
    server.stop()
    assert not path.exists()


# --- buffers ------------------------------------------------------------------------------

def test_connections_have_the_buffers_that_are_configured(serve, directory, apps):
    conf = directory / 'wsgid.conf'
    text = f'WSGIApplication probe\nChDir {apps}\nProcesses 1\nListen 127.0.0.1:0\n'
    conf.write_text(text + 'SendBufferSize 64k\nReceiveBufferSize 32k\n')
    server = serve('-c', conf, bind=None)
    # Linux keeps room for its own bookkeeping: twice what was asked for.
    assert json.loads(get(server.address, '/buffers').body) == [128 << 10, 64 << 10]
    conf.write_text(text + 'SendBufferSize 100k\n')
    assert 'reload done' in server.reload()
    sent, received = json.loads(get(server.address, '/buffers').body)
    assert sent == 200 << 10 and received > 64 << 10
    server.stop()


def test_a_buffer_that_the_kernel_cuts_is_said(serve):
    most = int(open('/proc/sys/net/core/wmem_max').read())
    if most >= 1 << 29:
        pytest.skip('net.core.wmem_max is so high that no buffer is cut')
    server = serve('probe', '-w', '1', '--send-buffer-size', '512m')
    assert re.search(rf'SendBufferSize {512 << 20}: the kernel grants {most} bytes; '
                     r'raise net.core.wmem_max', server.log.text())
    assert json.loads(get(server.address, '/buffers').body)[0] == 2 * most


# --- who says nothing -----------------------------------------------------------------------

def connections(server) -> int:
    return sum(row['page']['connections'] for row in server.ready().values())


def test_who_says_nothing_reaches_no_child_unless_that_is_configured(serve, directory, apps):
    conf = directory / 'wsgid.conf'
    text = f'WSGIApplication probe\nChDir {apps}\nProcesses 1\nListen 127.0.0.1:0\n'
    conf.write_text(text)
    server = serve('-c', conf, bind=None)
    with Connection(server.address) as silent:
        assert get(server.address, '/hello').status == 200  # who came later
        wait_until(lambda: connections(server) == 0, 'nobody')
        assert silent.get('/hello').status == 200
        assert connections(server) == 1
        conf.write_text(text + 'AcceptFilter http none\n')
        assert 'reload done' in server.reload()
        with Connection(server.address):
            wait_until(lambda: connections(server) == 2, 'the silent one')
    server.stop()


# --- in the way -----------------------------------------------------------------------------

def test_a_taken_port_names_who_has_it(new_server):
    with socket.create_server(('127.0.0.1', 0)) as other:
        port = other.getsockname()[1]
        server = new_server('probe', bind=f'127.0.0.1:{port}')
        assert server.fails() == 1
        text = server.log.text()
        assert f'127.0.0.1:{port}' in text and f'pid {os.getpid()}' in text
        assert 'Traceback' not in text and len(text.splitlines()) <= 2


@pytest.mark.parametrize('bind, said', [
    ('127.0.0.1:http', 'http'), ('127.0.0.1:0x50', '0x50'), ('127.0.0.1:65536', '65536'),
    ('[::1:80', r'[::1:80'), ('unix:', 'unix:'), ('unix:' + 'x' * 200, 'unix:'),
])
def test_an_address_that_is_none_is_a_mistake_on_the_command_line(new_server, bind, said):
    server = new_server('probe', bind=bind)
    assert server.fails() == 2
    assert 'Listen' in server.log.text() and said in server.log.text()


@pytest.mark.parametrize('first, second', [
    ('127.0.0.1:{port}', '*:{port}'), ('0.0.0.0:{port}', '127.0.0.1:{port}'),
    ('unix:{folder}/s', 'unix:{folder}/../{folder.name}/s'),
])
def test_listens_that_exclude_each_other_are_found_before_any_is_opened(
        directory, apps, first, second):
    port = free_port()
    a, b = (text.format(port=port, folder=directory) for text in (first, second))
    conf = directory / 'two.conf'
    conf.write_text(f'Listen {a}\nListen {b}\n')
    both = f'Listen: {b} and {a}, from '
    for words, place, other in ((('-c', conf), f'{conf}:2: ', f'{conf}:1,'),
                                (('-b', a, '-b', b), '-b: ', '-b,')):
        for test in ((), ('-t',)):
            done = run_wsgid(*test, *words, 'probe', cwd=apps)
            assert done.returncode == 78, done.stderr
            assert done.stderr.count(both) == 1 and 'trying' not in done.stderr
            assert place + both + other in done.stderr


def test_an_address_of_another_machine_is_explained(new_server):
    server = new_server('probe', bind='192.0.2.1:8000')
    assert server.fails() == 1
    assert '192.0.2.1:8000' in server.log.text()


def test_a_reload_opens_and_closes_listeners(serve, directory, apps):
    conf = directory / 'wsgid.conf'
    first, second = free_port(), free_port()
    text = f'WSGIApplication probe\nChDir {apps}\nProcesses 1\n'
    conf.write_text(text + f'Listen 127.0.0.1:{first}\n')
    server = serve('-c', conf, bind=None)
    with Connection(('127.0.0.1', first)) as kept:
        assert kept.get('/hello').status == 200
    conf.write_text(text + f'Listen 127.0.0.1:{second}\n')
    assert 'reload done' in server.reload()
    assert get(('127.0.0.1', second), '/hello').status == 200

    def gone():
        try:
            socket.create_connection(('127.0.0.1', first), 1).close()
        except OSError:
            return True
        return False
    wait_until(gone, 'the end of the first listener')
    server.addresses = [f'http://127.0.0.1:{second}']
    server.stop()
