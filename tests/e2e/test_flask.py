"""A Flask application as its users meet it, driven by requests and by curl."""

import hashlib
import json
import random
import subprocess

import pytest

from server import need, need_module

need_module('flask')
requests = pytest.importorskip('requests', reason='python3-requests is not installed')

TWENTY = random.Random(20).randbytes(20 * 1024 * 1024)
SHA256 = hashlib.sha256(TWENTY).hexdigest()


@pytest.fixture(params=['plain', 'validated'], ids=['plain', 'validated, io_uring refused'])
def app(request, serve, no_uring):
    """The application, and the same under wsgiref.validate and where io_uring is refused."""
    if request.param == 'plain':
        server = serve('flask_app:app', '-w', '2')
    else:
        server = serve('validated:application', '-w', '2', env={'VALIDATED_APP': 'flask_app:app'},
                       launcher=(no_uring, 'ENOSYS'))
        assert 'using epoll' in server.log.text()
    yield server
    assert 'AssertionError' not in server.log.text()
    server.stop()


def test_json_goes_in_and_out(app):
    answer = requests.post(f'{app.url}/json?a=b', json={'key': ['caf\xe9', 1, None]})
    assert answer.headers['Content-Type'] == 'application/json'
    assert answer.json() == {'method': 'POST', 'args': {'a': 'b'}, 'remote': '127.0.0.1',
                             'json': {'key': ['caf\xe9', 1, None]}, 'host': app.url[7:]}
    assert requests.head(f'{app.url}/json').content == b''
    assert requests.options(f'{app.url}/json').status_code == 200
    assert requests.get(f'{app.url}/none').status_code == 404


def test_an_upload_of_20_mb_arrives_whole(app):
    answer = requests.post(f'{app.url}/upload', files={'file': ('twenty.bin', TWENTY)})
    assert answer.json() == {'name': 'twenty.bin', 'size': len(TWENTY), 'sha256': SHA256}


def test_a_chunked_upload_arrives_whole(app):
    pieces = (TWENTY[at:at + 100000] for at in range(0, 5000000, 100000))
    answer = requests.put(f'{app.url}/raw', data=pieces)
    assert answer.json() == {'size': 5000000,
                             'sha256': hashlib.sha256(TWENTY[:5000000]).hexdigest()}


def test_a_download_is_made_while_it_is_sent(app):
    with requests.get(f'{app.url}/stream/20000', stream=True) as answer:
        assert answer.headers['Transfer-Encoding'] == 'chunked'
        found = hashlib.sha256()
        for piece in answer.iter_content(1 << 20):
            found.update(piece)
    assert found.digest() == hashlib.sha256(
        b''.join(b'%08d' % i * 128 for i in range(20000))).digest()


def test_a_session_keeps_its_count_over_both_children(app):
    with requests.Session() as session:
        assert [session.get(f'{app.url}/count').text for _ in range(4)] == ['1', '2', '3', '4']
    assert requests.get(f'{app.url}/count').text == '1'


def test_a_failure_is_a_500_and_in_the_log(app):
    assert requests.get(f'{app.url}/fail').status_code == 500
    app.log.wait_for('RuntimeError: deliberate: in a route')


def test_curl_uploads_and_downloads(app, directory):
    path = directory / 'twenty.bin'
    path.write_bytes(TWENTY)
    curl = [need('curl'), '-sS', '--fail', '--max-time', '20']
    run = dict(capture_output=True, check=True)
    said = subprocess.run([*curl, '-F', f'file=@{path}', f'{app.url}/upload'], **run).stdout
    assert json.loads(said)['sha256'] == SHA256
    # curl sends Expect: 100-continue with a large body.
    said = subprocess.run([*curl, '-T', path, f'{app.url}/raw'], **run).stdout
    assert json.loads(said)['sha256'] == SHA256
    said = subprocess.run([*curl, '-H', 'Transfer-Encoding: chunked', '-T', path,
                           f'{app.url}/raw'], **run).stdout
    assert json.loads(said)['sha256'] == SHA256
    said = subprocess.run([*curl, '--http1.0', f'{app.url}/stream/10'], **run).stdout
    assert len(said) == 10240
    said = subprocess.run([*curl, '-I', f'{app.url}/json', f'{app.url}/count'], **run).stdout
    assert said.count(b'HTTP/1.1 200') == 2


def test_the_factory_makes_it(serve):
    server = serve('flask_app:make_app()', '-w', '1')
    assert requests.get(f'{server.url}/json').json()['method'] == 'GET'
