"""A Flask application: JSON, an upload, a download that is made while it is sent."""

import hashlib

from flask import Flask, Response, jsonify, request, session

app = Flask(__name__)
app.secret_key = 'for tests only'


@app.route('/json', methods=['GET', 'POST'])
def as_json():
    return jsonify(method=request.method, args=request.args, json=request.get_json(silent=True),
                   host=request.host, remote=request.remote_addr)


@app.route('/upload', methods=['POST'])
def upload():
    file = request.files['file']
    found, size = hashlib.sha256(), 0
    while data := file.stream.read(65536):
        found.update(data)
        size += len(data)
    return jsonify(name=file.filename, size=size, sha256=found.hexdigest())


@app.route('/raw', methods=['POST', 'PUT'])
def raw():
    data = request.get_data()
    return jsonify(size=len(data), sha256=hashlib.sha256(data).hexdigest())


@app.route('/stream/<int:n>')
def stream(n):
    return Response((b'%08d' % i * 128 for i in range(n)), mimetype='application/octet-stream')


@app.route('/count')
def count():
    session['count'] = session.get('count', 0) + 1
    return str(session['count'])


@app.route('/fail')
def fail():
    raise RuntimeError('deliberate: in a route')


def make_app():
    return app
