"""Behind proxies: whom the server believes, and what of it the application and the log see."""

import json
import pathlib
import re
import socket
import ssl
import struct
import subprocess

import pytest

from client import Closed, Connection, exchange, get, refused
from server import PATIENCE, ROOT, free_port, need, wait_until

ENGINES = ['io_uring', 'epoll']


def show(connection, headers=()) -> dict:
    """The environ of a request on this connection."""
    return json.loads(connection.get('/show', headers).body)


def seen_by(address, headers=()) -> dict:
    with Connection(address) as connection:
        return show(connection, headers)


# --- X-Forwarded-* and Forwarded ------------------------------------------------------------

SAID = [('X-Forwarded-For', '203.0.113.9, 192.0.2.7'), ('X-Forwarded-Proto', 'https'),
        ('X-Forwarded-Host', 'shop.example'), ('X-Forwarded-Prefix', '/shop'),
        ('X-Forwarded-Server', 'x'), ('X-Real-IP', '203.0.113.9'),
        ('Forwarded', 'for=203.0.113.9;host=evil.example')]
ALL = ('X-Forwarded-For X-Forwarded-Proto X-Forwarded-Host X-Forwarded-Port X-Forwarded-Prefix '
       'Forwarded')


def test_nobody_is_believed_unless_he_is_trusted(serve):
    """By default; and where others are: what proxies say is not even seen."""
    for words in ([], ['--trusted-proxies', '10.0.0.0/8 unix:']):
        server = serve('probe', *words)
        environ = seen_by(server.address, SAID)
        assert environ['REMOTE_ADDR'] == '127.0.0.1'
        assert environ['wsgi.url_scheme'] == environ['REQUEST_SCHEME'] == 'http'
        assert environ['HTTP_HOST'] == 'test'
        assert environ['SCRIPT_NAME'] == ''
        assert not [key for key in environ if 'FORWARDED' in key or 'REAL_IP' in key]
        server.stop()


def test_what_is_taken_from_a_proxy_at_hand_is_said_once(serve, mpm, directory):
    """Else an application that wants https redirects for ever, and nobody knows why."""
    path = directory / 'wsgid.sock'
    for bind, address, who, name in (
            ('127.0.0.1:0', None, '127.0.0.1', '127.0.0.1'),
            (f'unix:{path}', path, 'a Unix socket', 'unix:')):
        server = serve('probe', '-w', '1', bind=bind)
        for fields in ([('X-Forwarded-User', 'ann')], SAID, SAID):
            seen_by(address or server.address, fields)
        server.log.wait_for(fr'\[child:notice\] .* X-Forwarded-Proto from {who}, who is not in '
                            'TrustedProxies, is taken out of requests: .* write '
                            f'"TrustedProxies {name}"')
        server.stop()
        assert server.log.text().count('who is not in TrustedProxies') == 1
        assert 'ann' not in server.log.text()


@pytest.mark.parametrize('where', ['a line', 'the environment', 'lines'])
def test_as_many_are_trusted_as_are_named(serve, directory, where):
    """A large provider has more networks than a line usually has words."""
    networks = [f'10.{i}.0.0/16' for i in range(40)] + ['127.0.0.0/8']
    words, env = [], {}
    if where == 'the environment':
        env['WSGID_TRUSTED_PROXIES'] = ','.join(networks)
    else:
        lines = [' '.join(networks)] if where == 'a line' else networks
        (directory / 'many.conf').write_text(''.join(f'TrustedProxies {x}\n' for x in lines))
        words = ['-c', directory / 'many.conf']
    server = serve('probe', *words, env=env)
    assert seen_by(server.address, SAID)['REMOTE_ADDR'] == '192.0.2.7'
    server.stop()


def test_what_a_trusted_proxy_says_is_where_the_application_looks_for_it(serve, directory):
    log = directory / 'access.log'
    server = serve('probe', '--trusted-proxies', '127.0.0.0/8', '--trusted-proxy-headers', ALL,
                   '--custom-log', f'{log} "%h %a %{{c}}a %{{remote}}p"')
    environ = seen_by(server.address, SAID)
    assert (environ['REMOTE_ADDR'], environ['REMOTE_PORT']) == ('192.0.2.7', '0')
    assert environ['wsgi.url_scheme'] == environ['REQUEST_SCHEME'] == 'https'
    assert environ['HTTP_HOST'] == environ['SERVER_NAME'] == 'shop.example'
    assert environ['SERVER_PORT'] == '443'
    assert (environ['SCRIPT_NAME'], environ['PATH_INFO']) == ('/shop', '/show')
    # What he has said is seen; what is not for us is not.
    assert environ['HTTP_X_FORWARDED_FOR'] == '203.0.113.9, 192.0.2.7'
    assert 'HTTP_X_FORWARDED_SERVER' not in environ and 'HTTP_X_REAL_IP' not in environ
    environ = seen_by(server.address, [('Forwarded', 'for="[2001:db8::7]:99";proto=https')])
    assert (environ['REMOTE_ADDR'], environ['REMOTE_PORT']) == ('2001:db8::7', '99')
    assert environ['wsgi.url_scheme'] == 'https'
    # mod_remoteip's words: %a and %h are the client, %{c}a is who is connected.
    wait_until(lambda: log.exists() and log.read_text().count('\n') == 2, 'two lines')
    assert log.read_text() == ('192.0.2.7 192.0.2.7 127.0.0.1 -\n'
                               '2001:db8::7 2001:db8::7 127.0.0.1 99\n')
    server.stop()


def test_a_request_says_nothing_about_the_next_of_its_connection(serve):
    server = serve('probe', '--trusted-proxies', '127.0.0.1')
    with Connection(server.address) as connection:
        assert show(connection, SAID)['REMOTE_ADDR'] == '192.0.2.7'
        environ = show(connection)
        assert environ['REMOTE_ADDR'] == '127.0.0.1'
        assert environ['wsgi.url_scheme'] == 'http' and environ['SCRIPT_NAME'] == ''
    server.stop()


def test_a_proxy_on_a_unix_socket_is_trusted_as_unix(serve, directory):
    path = directory / 'wsgid.sock'
    server = serve('probe', bind=f'unix:{path}', env={
        'WSGID_TRUSTED_PROXIES': 'unix:', 'WSGID_TRUSTED_PROXY_HEADERS': ALL})
    environ = seen_by(path, SAID)
    assert environ['REMOTE_ADDR'] == '192.0.2.7'
    assert (environ['SERVER_NAME'], environ['SERVER_PORT']) == ('shop.example', '443')
    server.stop()


def test_only_the_headers_that_the_proxy_sets_are_believed(serve):
    """A client's own X-Forwarded-Host passes a proxy that does not know it, as most do not."""
    for words in ([], ['--trusted-proxy-headers', 'X-Forwarded-For X-Forwarded-Proto']):
        server = serve('probe', '--trusted-proxies', '127.0.0.1', *words)
        environ = seen_by(server.address, SAID + [('X-Forwarded-Port', '4711')])
        assert (environ['REMOTE_ADDR'], environ['wsgi.url_scheme']) == ('192.0.2.7', 'https')
        assert environ['HTTP_HOST'] == 'test' and environ['SCRIPT_NAME'] == ''
        assert environ['SERVER_PORT'] == '443'
        assert sorted(key for key in environ if 'FORWARDED' in key) == [
            'HTTP_X_FORWARDED_FOR', 'HTTP_X_FORWARDED_PROTO']
        server.stop()


def test_what_a_trusted_proxy_says_to_the_application_alone_is_passed_on(serve, directory):
    """oauth2-proxy's and Envoy's fields, and nginx's habit; of others they are taken out."""
    said = [('X-Forwarded-User', 'ann'), ('x-forwarded-client-cert', 'Hash=1;Cert="%2d"'),
            ('X-Real-IP', '203.0.113.9'), ('X-Forwarded-Email', 'ann@shop.example')]
    (directory / 'passed.conf').write_text(
        'TrustedProxies 127.0.0.1\nTrustedProxyHeaders X-Forwarded-For X-FORWARDED-USER \\\n'
        ' X-Forwarded-Client-Cert X-Real-IP\n')
    server = serve('probe', '-c', directory / 'passed.conf')
    environ = seen_by(server.address, said)
    assert environ['HTTP_X_FORWARDED_USER'] == 'ann'
    assert environ['HTTP_X_FORWARDED_CLIENT_CERT'] == 'Hash=1;Cert="%2d"'
    assert environ['HTTP_X_REAL_IP'] == '203.0.113.9'
    assert 'HTTP_X_FORWARDED_EMAIL' not in environ
    assert environ['REMOTE_ADDR'] == '127.0.0.1'
    server.stop()
    server = serve('probe', '-c', directory / 'passed.conf', '--trusted-proxies', '10.0.0.0/8')
    environ = seen_by(server.address, said)
    assert not [key for key in environ if 'FORWARDED' in key or 'REAL_IP' in key]
    server.stop()


# --- below a path ---------------------------------------------------------------------------


def test_an_application_is_mounted_below_a_path(serve, directory):
    """As Apache's WSGIScriptAlias has it, for a proxy that does not cut the path off."""
    log = directory / 'access.log'
    server = serve('probe', '--mount-point', '/the shop', '--trusted-proxies', '127.0.0.1',
                   '--trusted-proxy-headers', ALL, '--custom-log', f'{log} "%U"')

    def place_of(target, headers=()):
        answer = get(server.address, target, headers)
        if answer.status != 200:
            return answer.status
        environ = json.loads(answer.body)
        assert environ['REQUEST_URI'] == target
        return environ['SCRIPT_NAME'], environ['PATH_INFO']

    assert place_of('/the%20shop/show') == ('/the shop', '/show')
    assert place_of('/the%20shop/show?a=/x') == ('/the shop', '/show')
    assert place_of('/%74he%20shop%2Fshow') == ('/the shop', '/show')
    assert place_of('/a/../the%20shop/./show') == ('/the shop', '/show')
    assert place_of('/the%20shop/show', [('X-Forwarded-Prefix', '/a')]) == ('/a/the shop',
                                                                           '/show')
    for outside in ('/', '/show', '/the%20shopping', '/the%20shop/../show', '/a/the%20shop/show',
                    '/The%20shop/show'):
        assert place_of(outside) == 404, outside
    # Logs have what was asked for.
    wait_until(lambda: log.exists() and log.read_text().count('\n') == 11, '11 lines')
    assert log.read_text().splitlines()[:2] == ['/the%20shop/show'] * 2
    server.stop()


def test_the_mount_point_itself_has_no_path_info_and_the_asterisk_is_let_in(serve, directory):
    """And what the process asks for itself is a path as clients have it."""
    (directory / 'places.py').write_text("""
import json
def application(environ, start_response):
    start_response('200 OK', [])
    return [json.dumps([environ['SCRIPT_NAME'], environ['PATH_INFO']]).encode()]
""")
    words = ['--chdir', directory, '--mount-point', '/shop', '--log-level', 'info']
    server = serve('places', *words, '--warm-up', '/shop/x')
    server.log.wait_for('WSGIWarmUp /shop/x: answered 200')
    assert json.loads(get(server.address, '/shop').body) == ['/shop', '']
    assert json.loads(get(server.address, '/shop/').body) == ['/shop', '/']
    answer = exchange(server.address, b'OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n')
    assert json.loads(answer.body) == ['/shop', '']
    get(server.address, '/shopping')
    server.log.wait_for('127.0.0.1: refused with 404: the path is not below MountPoint')
    server.stop()


# --- the PROXY protocol ---------------------------------------------------------------------

V1 = b'PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n'
SIGNATURE = b'\r\n\r\n\0\r\nQUIT\n'
SHOW = b'GET /show HTTP/1.1\r\nHost: test\r\n\r\n'


def v2(tlvs: bytes = b'', command: int = 0x21) -> bytes:
    ends = socket.inet_aton('192.0.2.7') + socket.inet_aton('198.51.100.1')
    ends += struct.pack('>HH', 4711, 443)
    return SIGNATURE + struct.pack('>BBH', command, 0x11, len(ends + tlvs)) + ends + tlvs


def ends_of(environ: dict) -> tuple:
    return tuple(environ[key] for key in ('REMOTE_ADDR', 'REMOTE_PORT', 'SERVER_ADDR',
                                          'SERVER_PORT'))


TOLD = ('192.0.2.7', '4711', '198.51.100.1', '443')


@pytest.mark.parametrize('engine', ENGINES)
def test_the_proxy_protocol_says_who_is_connected(serve, mpm, engine):
    server = serve('probe', '--io-engine', engine, '--trusted-proxies', '127.0.0.1',
                   '--proxy-protocol', 'on')
    for header in (V1, v2(), v2(b'\x02\x00\x04shop')):
        with Connection(server.address) as connection:
            connection.send(header + SHOW)
            assert ends_of(json.loads(connection.response().body)) == TOLD
            # It holds for all requests of the connection.
            assert ends_of(show(connection)) == TOLD
    # As much as a balancer can say, while others are served.
    with Connection(server.address) as connection, Connection(server.address) as other:
        long = v2(b'\x04\xff\xf0' + bytes(0xfff0))
        connection.send(long[:40000])
        other.send(V1 + SHOW)
        assert other.response().status == 200
        connection.send(long[40000:] + SHOW)
        assert ends_of(json.loads(connection.response().body)) == TOLD
    # A client that the balancer spoke TLS with.
    with Connection(server.address) as connection:
        connection.send(v2(b'\x20\x00\x05\x01\0\0\0\0') + SHOW)
        assert json.loads(connection.response().body)['wsgi.url_scheme'] == 'https'
    # A health check of its own.
    with Connection(server.address) as connection:
        connection.send(v2(command=0x20) + SHOW)
        assert json.loads(connection.response().body)['REMOTE_ADDR'] == '127.0.0.1'
    server.stop()


@pytest.mark.parametrize('engine', ENGINES)
def test_a_header_of_the_proxy_protocol_may_come_byte_by_byte(serve, engine):
    server = serve('probe', '--io-engine', engine, '--trusted-proxies', '127.0.0.1',
                   '--proxy-protocol', 'on')
    for header in (V1, v2()):
        with Connection(server.address) as connection:
            for byte in header + SHOW[:5]:
                connection.send(bytes([byte]))
            connection.send(SHOW[5:])
            assert ends_of(json.loads(connection.response().body)) == TOLD
    server.stop()


def test_where_the_proxy_protocol_is_on_nothing_else_is_served(serve):
    server = serve('probe', '--trusted-proxies', '127.0.0.1', '--proxy-protocol', 'on',
                   '--log-level', 'info')
    for begin in (SHOW, b'PROXY TCP9 a b 1 2\r\n' + SHOW, SIGNATURE + b'\x31\x11\0\0' + SHOW):
        answer = exchange(server.address, begin)
        assert answer.status == 400 and answer.header('Connection') == 'close'
    server.log.wait_for('127.0.0.1: refused with 400: it does not begin with a valid header of '
                        'the PROXY protocol')
    server.stop()


def test_the_proxy_protocol_is_believed_from_trusted_addresses_only(serve):
    server = serve('probe', '--trusted-proxies', '10.0.0.0/8', '--proxy-protocol', 'on',
                   '--log-level', 'info')
    assert exchange(server.address, V1 + SHOW).status == 403
    server.log.wait_for('ProxyProtocol is On here, and this is no trusted proxy')
    server.stop()


def test_an_optional_proxy_protocol_may_be_left_out(serve):
    server = serve('probe', '--trusted-proxies', '127.0.0.1', '--proxy-protocol', 'optional')
    with Connection(server.address) as connection:
        assert show(connection)['REMOTE_ADDR'] == '127.0.0.1'
    answer = exchange(server.address, v2() + SHOW)
    assert ends_of(json.loads(answer.body)) == TOLD
    assert exchange(server.address, b'POST /echo HTTP/1.1\r\nHost: t\r\n'
                                    b'Content-Length: 1\r\n\r\nx').body == b'x'
    server.stop()


def test_each_listener_has_its_own_proxy_protocol(serve, directory):
    path = directory / 'wsgid.sock'
    server = serve('probe', '-b', f'unix:{path} ProxyProtocol=On', '--trusted-proxies', 'unix:')
    assert seen_by(server.address)['REMOTE_ADDR'] == '127.0.0.1'
    answer = exchange(path, V1 + SHOW)
    assert ends_of(json.loads(answer.body)) == TOLD
    assert exchange(path, SHOW).status == 400
    # The client's own word: he is no trusted proxy, though who told of him is.
    lines = b'GET /show HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n'
    assert json.loads(exchange(path, V1 + lines).body)['REMOTE_ADDR'] == '192.0.2.7'
    server.stop()


def test_a_listener_may_be_for_those_that_came_with_https(serve, directory):
    """nginx's stream and many balancers end TLS and have no word for it."""
    path = directory / 'wsgid.sock'
    server = serve('probe', '-w', '1', '-b', f'unix:{path} ProxyProtocol=Optional Scheme=https',
                   '--trusted-proxies', 'unix:')
    assert seen_by(server.address)['wsgi.url_scheme'] == 'http'
    with Connection(path) as connection, Connection(path) as told:
        assert show(connection)['wsgi.url_scheme'] == 'https'
        for header in (V1, v2(), v2(command=0x20)):
            answer = exchange(path, header + SHOW)
            assert json.loads(answer.body)['wsgi.url_scheme'] == 'https'
        # Who speaks for others knows better.
        environ = show(connection, [('X-Forwarded-Proto', 'http')])
        assert environ['wsgi.url_scheme'] == 'http'
        told.send(V1 + SHOW)
        assert told.response().status == 200
        before = set(server.children())
        server.reload()
        wait_until(lambda: not before & set(server.children()), 'the end of the old child')
        assert show(connection)['wsgi.url_scheme'] == show(told)['wsgi.url_scheme'] == 'https'
    server.stop()


def test_a_client_of_a_balancer_is_who_he_was_after_a_reload(serve):
    """The connection goes to another child, which has not seen the header."""
    server = serve('probe', '-w', '1', '--trusted-proxies', '127.0.0.1',
                   '--proxy-protocol', 'on')
    with Connection(server.address) as told, Connection(server.address) as silent, \
            Connection(server.address) as half:
        told.send(v2(b'\x20\x00\x05\x01\0\0\0\0'))
        assert ends_of(show(told)) == TOLD
        half.send(V1[:20])
        before = set(server.children())
        server.reload()
        wait_until(lambda: not before & set(server.children()), 'the end of the old child')
        environ = show(told)
        assert ends_of(environ) == TOLD and environ['wsgi.url_scheme'] == 'https'
        half.send(V1[20:] + SHOW)
        assert ends_of(json.loads(half.response().body)) == TOLD
        silent.send(SHOW)
        assert silent.response().status == 400
    server.stop()


def test_a_balancer_that_says_nothing_is_closed(serve):
    server = serve('probe', '--trusted-proxies', '127.0.0.1', '--proxy-protocol', 'on',
                   '--timeout', '100ms', '--accept-filter', 'none')
    with Connection(server.address) as connection:
        with pytest.raises(Closed):
            connection.response()
    server.stop()


# --- real ones ------------------------------------------------------------------------------

NGINX_FRAME = '''
daemon off;
master_process off;
pid {place}/nginx.pid;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
    {inside}
}}
'''
NGINX = '''
    keepalive_requests 1000000;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto https;
    proxy_next_upstream off;
    upstream tcp {{ server 127.0.0.1:{tcp}; keepalive 8; keepalive_requests 1000000; }}
    upstream unix {{ server unix:{unix}; keepalive 8; keepalive_requests 1000000; }}
    server {{ listen 127.0.0.1:{ports[0]}; location / {{ proxy_pass http://tcp; }} }}
    server {{ listen 127.0.0.1:{ports[1]}; location / {{ proxy_pass http://unix; }} }}
'''

# Debian and others have made it a package of its own.
STREAM_MODULE = next((path for folder in ('/usr/lib/nginx', '/usr/lib64/nginx')
                      for path in pathlib.Path(folder).glob('modules/ngx_stream_module.so')), None)
NGINX_STREAM = f'load_module {STREAM_MODULE};' + '''
stream {{
    server {{
        listen 127.0.0.1:{ports[6]};
        proxy_pass 127.0.0.1:{proxy_protocol};
        proxy_protocol on;
    }}
}}
'''

HAPROXY = '''
defaults
    mode http
    timeout connect 10s
    timeout client 30s
    timeout server 30s
    http-reuse always
    retries 0
listen tcp
    bind 127.0.0.1:{ports[2]}
    option forwardfor
    http-request set-header X-Forwarded-Proto https
    server wsgid 127.0.0.1:{tcp}
listen unix
    bind 127.0.0.1:{ports[3]}
    option forwardfor
    http-request set-header X-Forwarded-Proto https
    server wsgid unix@{unix}
listen proxy_protocol_1
    bind 127.0.0.1:{ports[4]}
    server wsgid 127.0.0.1:{proxy_protocol} send-proxy
listen proxy_protocol_2
    bind 127.0.0.1:{ports[5]}
    mode tcp
    server wsgid 127.0.0.1:{proxy_protocol} send-proxy-v2
'''

CLIENT = '127.0.0.9'
REQUEST = b'GET /client HTTP/1.1\r\nHost: shop.example\r\n\r\n'


@pytest.fixture
def run():
    """run(command) starts a program that ends with the test."""
    processes = []

    def start(*command):
        processes.append(subprocess.Popen([str(word) for word in command],
                                          stdin=subprocess.DEVNULL))
    yield start
    for process in processes:
        process.kill()
        process.wait(PATIENCE)


@pytest.fixture
def proxies(directory, run):
    """proxies(place of each listener) starts nginx and HAProxy: their ports.

    Neither tries anything twice, so whatever the server does to one request is seen.
    """
    def start(**places):
        place = directory / 'proxies'
        place.mkdir()
        ports = [free_port() for _ in range(7 if STREAM_MODULE else 6)]
        facts = {'place': place, 'ports': ports, **places}
        (place / 'nginx').write_text(
            (NGINX_STREAM.format(**facts) if STREAM_MODULE else '') +
            NGINX_FRAME.format(place=place, inside=NGINX.format(**facts)))
        (place / 'haproxy').write_text(HAPROXY.format(**facts))
        run(need('nginx'), '-p', place, '-e', place / 'log', '-c', place / 'nginx')
        run(need('haproxy'), '-db', '-q', '-f', place / 'haproxy')
        for port in ports:
            wait_until(lambda: not refused(('127.0.0.1', port)), f'a proxy at port {port}')
        return ports
    return start


class Client(Connection):
    """One that has another address than the proxies have."""

    def __init__(self, port):
        self.socket = socket.create_connection(('127.0.0.1', port), PATIENCE,
                                               source_address=(CLIENT, 0))
        self.buffer = bytearray()


def test_nginx_and_haproxy_pass_10000_requests_on_and_none_fails(serve, proxies, directory):
    """Over TCP, a Unix socket and the PROXY protocol, on connections that they keep.

    As many each way, of four clients that do not wait for an answer before they ask again.
    """
    unix, proxy_protocol = directory / 'wsgid.sock', free_port()
    server = serve('probe', '-w', '2', '-b', f'unix:{unix}',
                   '-b', f'127.0.0.1:{proxy_protocol} ProxyProtocol=On',
                   '--trusted-proxies', '127.0.0.1 unix:',
                   '--trusted-proxy-headers', 'X-Forwarded-For X-Forwarded-Proto')
    ports = proxies(tcp=server.port, unix=unix, proxy_protocol=proxy_protocol)
    each, answers = 10000 // len(ports) // 4 + 1, 0
    for port in ports:
        scheme, end = ('https', 'shop.example:443') if port in ports[:4] else (
            'http', f'shop.example:{port}')
        clients = [Client(port) for _ in range(4)]
        for client in clients:
            client.send(REQUEST * each)
        for client in clients:
            for _ in range(each):
                answer = client.response()
                assert answer.complete and answer.status == 200, (port, answer)
                assert answer.body.decode() == f'{CLIENT} {scheme} {end}'
                answers += 1
            client.close()
    assert answers >= 10000
    totals = server.board()['totals']
    print(f'{totals["connections"]} connections for {answers} answers')
    # Two children have their share of those that each proxy keeps.
    assert totals['connections'] < 200
    server.stop()


# --- the manual's ---------------------------------------------------------------------------


def sample_of(heading: str) -> str:
    """What the manual shows below a heading, as one would copy it."""
    page = (ROOT / 'src' / 'wsgid' / 'wsgid.conf.5').read_text()
    below = page[page.index(f'.Ss {heading}\n'):]
    sample = re.search(r'^\.Bd .*\n((?:.*\n)*?)\.Ed$', below, re.MULTILINE).group(1)
    return sample.replace('\\&', '').replace('\\e', '\\')


def test_the_manuals_nginx_passes_on_the_host_whatever_the_client_says(serve, run, directory):
    path, port = directory / 'wsgid.sock', free_port()
    place = directory / 'proxies'
    place.mkdir()
    ours, nginxs = sample_of('Behind nginx').split('# nginx\n')
    (directory / 'wsgid.conf').write_text(
        re.sub(r'Listen .*', f'Listen unix:{path}', ours))
    sample = nginxs.replace('/run/shop/shop.sock', str(path)).replace(
        'server {\n', f'server {{\n listen 127.0.0.1:{port};\n')
    (place / 'nginx').write_text(NGINX_FRAME.format(place=place, inside=sample))
    server = serve('probe', '-c', directory / 'wsgid.conf', bind=None)
    run(need('nginx'), '-p', place, '-e', place / 'log', '-c', place / 'nginx')
    wait_until(lambda: not refused(('127.0.0.1', port)), 'nginx')
    for head, host in ((b'GET /show HTTP/1.0\r\n\r\n', 'shop.example'),
                       (b'GET /show HTTP/1.1\r\nHost: other.example:81\r\n\r\n',
                        'other.example:81')):
        answer = exchange(('127.0.0.1', port), head)
        assert answer.status == 200
        environ = json.loads(answer.body)
        assert (environ['HTTP_HOST'], environ['REMOTE_ADDR']) == (host, '127.0.0.1')
    server.stop()


def test_the_manuals_haproxy_says_that_it_has_ended_tls(serve, run, directory):
    port, pem = free_port(), directory / 'both.pem'
    keys = subprocess.run(
        [need('openssl'), 'req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt',
         'ec_paramgen_curve:P-256', '-subj', '/CN=shop.example', '-days', '2', '-keyout', '-'],
        capture_output=True, text=True, check=True)
    pem.write_text(keys.stdout)
    server = serve('probe', '--trusted-proxies', '127.0.0.1', '--proxy-protocol', 'on')
    backend = sample_of('Behind HAProxy').split('ProxyProtocol On\n')[1].replace(
        '10.0.0.3:8000', f'127.0.0.1:{server.port}')
    (directory / 'haproxy').write_text(f'''
defaults
    timeout connect 10s
    timeout client 30s
    timeout server 30s
frontend tls
    mode tcp
    bind 127.0.0.1:{port} ssl crt {pem}
    default_backend shop
{backend}''')
    run(need('haproxy'), '-db', '-q', '-f', directory / 'haproxy')
    wait_until(lambda: not refused(('127.0.0.1', port)), 'HAProxy')
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with Client(port) as client:
        client.socket = context.wrap_socket(client.socket)
        environ = show(client)
    assert (environ['REMOTE_ADDR'], environ['wsgi.url_scheme']) == (CLIENT, 'https')
    server.stop()


APACHE_MODULES = pathlib.Path('/usr/lib/apache2/modules')
APACHE = '''
ServerRoot {place}
DefaultRuntimeDir {place}
PidFile {place}/apache.pid
ErrorLog {place}/log
ServerName localhost
User www-data
Group www-data
Listen 127.0.0.1:{port}
{modules}
{sample}
'''


@pytest.mark.skipif(not APACHE_MODULES.is_dir(), reason='Debian has its modules there')
def test_the_manuals_apache_passes_on_who_asks_and_for_what(serve, run, directory):
    port, place = free_port(), directory / 'proxies'
    place.mkdir()
    ours, apaches = re.split('# Apache.*\n', sample_of('Behind Apache'))
    (directory / 'wsgid.conf').write_text(ours.replace('127.0.0.1:8000', '127.0.0.1:0'))
    server = serve('probe', '-c', directory / 'wsgid.conf', bind=None)
    modules = ''.join(f'LoadModule {name}_module {APACHE_MODULES}/mod_{name}.so\n' for name in (
        'mpm_event', 'authz_core', 'headers', 'proxy', 'proxy_http'))
    (place / 'apache').write_text(APACHE.format(
        place=place, port=port, modules=modules,
        sample=apaches.replace('127.0.0.1:8000', f'127.0.0.1:{server.port}')))
    run(need('apache2'), '-X', '-f', place / 'apache')  # one process
    wait_until(lambda: not refused(('127.0.0.1', port)), 'Apache')
    with Client(port) as client:
        environ = show(client, [('X-Forwarded-Proto', 'https'), ('X-Forwarded-Host', 'evil')])
    assert environ['REMOTE_ADDR'] == CLIENT
    assert (environ['wsgi.url_scheme'], environ['HTTP_HOST']) == ('http', 'test')
    server.stop()
