"""Which MPM serves, and with how many threads: as a person asks for it, and over reloads."""

from client import get


def write_site(directory, *lines):
    """A configuration of the hello application; its path."""
    path = directory / 'site.conf'
    path.write_text('\n'.join(('WSGIApplication hello', *lines)) + '\n')
    return path


def serve_site(serve, directory, apps, *lines):
    return serve('-c', write_site(directory, f'ChDir {apps}', *lines))


def test_prefork_ignores_threads_and_says_so(serve):
    server = serve('hello', '--mpm', 'prefork', '--threads', '4', '-w', '2')
    server.wait_for_ready(2)
    assert '--threads: ThreadsPerChild: ignored with MPM prefork' in server.log.text()
    assert 'prefork with 2 children' in server.log.text()
    assert get(server.address).status == 200


def test_the_mpm_changes_only_at_a_restart(serve, directory, apps):
    server = serve_site(serve, directory, apps, 'Processes 1')
    write_site(directory, f'ChDir {apps}', 'Processes 2', 'MPM worker')
    said = server.reload()
    assert 'MPM: changes only when wsgid is stopped and started; prefork stays' in said
    assert 'reload done' in said
    server.wait_for_ready(2)
    board = server.board()['board']
    assert (board['mpm'], board['worker_count']) == ('prefork', 1)
    assert get(server.address).status == 200
