"""A site on loopback with what pages do to a browser: forms, frames, dialogs, windows, downloads, and worse.

It is served at two names (127.0.0.1 and localhost), which are two sites to a browser; beside it is a private server,
which nobody may reach and which counts who tried.
"""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import ClassVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.ui.workspaces import png

PAGES = {
    "/": """<title>First &amp; only</title><h1>Hello</h1><p id=a>static</p><p hidden>unseen</p>
        <p>See <a href="/next">the next page</a>, [99] of them.</p><a href="javascript:void(0)">no</a>
        <table><tr><th>City<th>Rides<tr><td>Madrid<td>12</table><ul><li>one<li>two</ul>
        <script>document.getElementById('a').textContent = 'made by a script'</script>""",
    "/next": "<title>Next</title><h1>Next</h1>",
    "/form": """<title>Form</title><form action=/sent method=post enctype=multipart/form-data>
        <label>E-mail <input type=email name=mail required></label><input name=firstChild placeholder=Clobber>
        <input type=password name=secret value=hunter2><input type=date name=day>
        <select name=size><option>S<option selected>M<option value=l>L</select>
        <select name=tags multiple><option>red<option>blue<option>green</select>
        <style>label input[type=checkbox] { position: absolute; opacity: 0; width: 0; height: 0 }</style>
        <label style=cursor:pointer><input type=checkbox name=agrees> <b>I agree</b></label>
        <textarea name=words>hi</textarea><input type=file name=paper hidden>
        <button type=button onclick="this.form.paper.click()">Choose a paper</button>
        <button type=button disabled>Later</button><button>Send</button></form>""",
    "/frames": """<title>Frames</title><p>above</p><iframe src="http://localhost:PORT/inner" height=100></iframe>
        <iframe srcdoc="<button onclick='parent.document.title = `pressed`'>Inside</button>" height=60></iframe>
        <p>below""",
    "/inner": "<button onclick=\"this.textContent = 'paid'\">Pay</button>",
    "/list": """<title>List</title><button id=b>Cancel</button><script>
        const swap = () => document.getElementById('b').textContent = 'Delete all'
        const go = new Image(); go.onload = () => { swap(); new Image().src = '/swapped' }; go.src = '/go'</script>
        <p><button onclick="swap()">Swap</button><button onclick="this.remove()">Vanish</button>""",
    "/dialogs": """<title>Dialogs</title><p id=said>nothing</p><script>
        const say = (word) => document.getElementById('said').textContent = word
        </script><button onclick="alert('Hi\\nthere')">Alert</button>
        <button onclick="say(confirm('Sure?') ? 'agreed' : 'refused')">Confirm</button>
        <button onclick="say('name ' + prompt('Name?'))">Prompt</button>
        <button onclick="onbeforeunload = (event) => { event.preventDefault(); return 'x' }">Hold</button>
        <button onclick="for (;;) alert('storm')">Storm</button><a href=/next>away</a>""",
    "/windows": """<title>Windows</title><a href=/next target=_blank>new tab</a>
        <button onclick="for (let n = 0; n < 40; n++) window.open('/next')">Flood</button>
        <button onclick="window.open('/closes')">Closes</button>""",
    "/closes": "<title>Closes</title><button onclick='window.close()'>Close me</button>",
    "/files": """<title>Files</title><a href=/file>a file</a><a href="/picture">a picture</a>
        <button onclick="const a = document.createElement('a'); a.download = 'made.txt';
            a.href = window.URL.createObjectURL(new Blob(['made here'])); a.click()">Make</button>
        <a href=/endless-file>endless</a>""",
    "/long": """<title>Long</title><div id=all></div><script>let n = 0
        const more = () => { for (let i = 0; i < 20; i++) {
            const p = document.createElement('p'); p.style.height = '60px'; p.textContent = `row ${++n}`
            all.append(p) } }
        more(); addEventListener('scroll', () => innerHeight + scrollY > all.scrollHeight - 100 && n < 100 && more())
        </script>""",
    "/box": """<title>Box</title><div style="height:200px;overflow:auto"><button>top</button><div style="height:2000px">
        </div><button>deep</button></div>""",
    "/late": "<title>Late</title><p id=p>soon</p><script>setTimeout(() => p.textContent = 'now it is', 700)</script>",
    "/huge": """<title>Huge</title><script>const add = (n, to) => { for (let i = 0; i < n; i++) {
            const a = document.createElement('a'); a.href = `/item/${i}`; a.textContent = `item ${i} of very many`
            const p = document.createElement('p'); p.append(a); to.append(p) } }
        add(6000, document.body ?? document.documentElement)</script>""",
    "/deep": "<title>Deep</title><script>document.write('<div>'.repeat(3000) + 'bottom')</script>",
    "/hangs": "<title>Hangs</title><button onclick='for (;;);'>Hang</button>",
    "/loads": """<title>Loads</title><p id=fetch>waiting</p><p id=socket>waiting</p><p id=worker>waiting</p>outer
        <iframe src='http://127.0.0.1:PRIVATE/secret'></iframe><script>
        const say = (id, word) => () => document.getElementById(id).textContent = `${id} ${word}`
        fetch('http://127.0.0.1:PRIVATE/secret', {mode: 'no-cors'}).then(say('fetch', 'answered'), say('fetch', 'lost'))
        const s = new WebSocket('ws://127.0.0.1:PRIVATE/secret'); s.onerror = say('socket', 'refused')
        navigator.serviceWorker?.register('/worker.js').catch(say('worker', 'refused'))
        navigator.serviceWorker?.addEventListener('message', (event) => say('worker', event.data)())
        const peer = new RTCPeerConnection({iceServers: [{urls: 'stun:127.0.0.1:DATAGRAMS'}]})
        peer.createDataChannel('x'); peer.createOffer().then((offer) => peer.setLocalDescription(offer))
        try { new WebTransport('https://127.0.0.1:DATAGRAMS/').ready.catch(() => {}) } catch {}
        </script>""",
    "/script-redirect": "<body>here<script>location = 'http://127.0.0.1:PRIVATE/secret'</script>",
    "/endless": "<title>Endless</title><body>before",
    "/control": "<body>a&#0;b\x1b[31mc",
    "/secret": "<body>hunter2",
}
WORKER = """self.onactivate = async () => {
  let word = 'refused'
  try { await fetch('http://127.0.0.1:PRIVATE/secret', {mode: 'no-cors'}); word = 'answered' } catch {}
  for (const client of await self.clients.matchAll({includeUncontrolled: true})) client.postMessage(word)
}"""


class Site:
    """The servers, and what they were sent."""

    def __init__(self, folder: Path) -> None:
        self.visits: list[str] = []
        """Paths that the private server was asked for."""
        self.sent: list[bytes] = []
        """Bodies of the forms that were sent."""
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind(("127.0.0.1", 0))
        self.datagrams.setblocking(False)
        self.closing = threading.Event()
        self.go, self.swapped = threading.Event(), threading.Event()
        """A page waits for the first, and says by the second that it has changed."""
        self._private = self._serve(_Private)
        self._allowed = self._serve(_Allowed)
        self._secure = self._serve(_Allowed, _certificate(folder))
        self.host = f"127.0.0.1:{self._allowed.server_port}"
        self.other_host = f"localhost:{self._allowed.server_port}"
        self.private = f"127.0.0.1:{self._private.server_port}"
        self.secure = f"127.0.0.1:{self._secure.server_port}"

    def text(self, page: str) -> bytes:
        """A page with the ports in it."""
        ports = {"PORT": self._allowed.server_port, "PRIVATE": self._private.server_port}
        ports["DATAGRAMS"] = self.datagrams.getsockname()[1]
        for name, port in ports.items():
            page = page.replace(f":{name}", f":{port}")
        return page.encode()

    def close(self) -> None:
        self.closing.set()
        self.go.set()
        for server in (self._allowed, self._private, self._secure):
            server.shutdown()
            server.server_close()
        self.datagrams.close()

    def _serve(self, handler: type[_Handler], context: ssl.SSLContext | None = None) -> ThreadingHTTPServer:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (handler,), {"site": self}))
        server.daemon_threads = True
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
            server.handle_error = lambda *_: None  # type: ignore[method-assign]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return server


class _Handler(BaseHTTPRequestHandler):
    site: ClassVar[Site]

    def send(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "text/html; charset=utf-8", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Private(_Handler):
    def do_GET(self) -> None:
        self.site.visits.append(self.path)
        self.send(200, b"<body>hunter2")


class _Allowed(_Handler):
    def do_POST(self) -> None:
        self.site.sent.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send(200, b"<title>Sent</title>thank you")

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        attachment = 'attachment; filename="..\\\\..\\\\my file.bin"'
        match path:
            case "/redirect":
                self.send(302, b"", Location=f"http://{self.site.private}/secret")
            case "/loop":
                self.send(302, b"", Location="/loop")
            case "/locked":
                self.send(401, b"", WWW_Authenticate='Basic realm="x"')
            case "/file":
                self.send(200, b"bytes", Content_Type="application/octet-stream", Content_Disposition=attachment)
            case "/go":
                self.site.go.wait(60)
                self.send(200, png(), Content_Type="image/png")
            case "/swapped":
                self.site.swapped.set()
                self.send(200, png(), Content_Type="image/png")
            case "/picture":
                self.send(200, png(), Content_Type="image/png")
            case "/document.pdf":
                self.send(200, b"%PDF-1.4 not really", Content_Type="application/pdf")
            case "/worker.js":
                self.send(200, self.site.text(WORKER), Content_Type="text/javascript")
            case "/endless-file":
                self.send(200, b"", Content_Type="application/octet-stream")
                while not self.site.closing.is_set():
                    self.wfile.write(bytes(262_144))
            case "/endless" | "/silent":
                if path == "/endless":
                    self.send(200, self.site.text(PAGES[path]))
                    self.wfile.flush()
                self.site.closing.wait(60)
            case _:
                page = PAGES.get(path)
                self.send(200 if page else 404, self.site.text(page or "<body>gone"))


def _certificate(folder: Path) -> ssl.SSLContext:
    """Of a server that signs for itself, which nobody trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
