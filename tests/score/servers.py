"""Servers of live videos on this machine: HTTP, and RTSP over TCP."""

import contextlib
import socket
import struct
import threading

import av

from tests.video.clips import ramp

TS_PACKET = 188


def write_ts(path, frames, rate=25):
  """A transport stream, as cameras and broadcasters send."""
  with av.open(str(path), "w", format="mpegts") as container:
    stream = container.add_stream("mpeg2video", rate=rate)
    stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
    stream.codec_context.gop_size = 10
    for number in range(frames):
      image = av.VideoFrame.from_ndarray(ramp(number % 50), format="rgb24")
      container.mux(stream.encode(image))
    container.mux(stream.encode())
  return path.read_bytes()


@contextlib.contextmanager
def served(handle):
  """A server that handles connections one after the other; gives its port."""
  with socket.create_server(("127.0.0.1", 0)) as server:

    def run():
      with contextlib.suppress(OSError):
        while True:
          connection, _ = server.accept()
          with connection, contextlib.suppress(OSError):
            handle(connection)

    threading.Thread(target=run, daemon=True).start()
    yield server.getsockname()[1]
    # Wakes the thread.
    with contextlib.suppress(OSError):
      server.shutdown(socket.SHUT_RDWR)


def http(pieces):
  """A handler that sends what an iterable gives, as it gives it."""

  def handle(connection):
    connection.recv(65536)
    connection.sendall(
      b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\n"
      b"Connection: close\r\n\r\n"
    )
    for piece in pieces:
      connection.sendall(piece)

  return handle


def rtsp(pieces):
  """A handler that plays a transport stream to one client, in its connection."""
  media = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
  media += "m=video 0 RTP/AVP 33\r\na=control:track1\r\n"

  def answer(request):
    method, address = request.split()[:2]
    if method == "OPTIONS":
      return ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"], ""
    if method == "DESCRIBE":
      return [
        f"Content-Base: {address}/",
        "Content-Type: application/sdp",
      ], media
    if method == "SETUP" and "RTP/AVP/TCP" not in request:
      return None
    if method == "SETUP":
      return ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1"], ""
    return [], ""

  def handle(connection):
    file = connection.makefile("rb")
    while True:
      lines = []
      while (line := file.readline().decode().strip()) or not lines:
        lines.append(line)
      request = "\n".join(lines)
      number = next(x for x in lines if x.lower().startswith("cseq"))
      told = answer(request)
      status = "461 Unsupported Transport" if told is None else "200 OK"
      head, body = told or ([], "")
      head = [f"RTSP/1.0 {status}", number, "Session: 1", *head]
      head += [f"Content-Length: {len(body)}"] if body else []
      connection.sendall(("\r\n".join(head) + "\r\n\r\n" + body).encode())
      if request.startswith("PLAY"):
        break
    for number, piece in enumerate(packets(pieces)):
      header = struct.pack(">BBHII", 0x80, 33, number & 0xFFFF, number, 1)
      size = len(header) + len(piece)
      connection.sendall(struct.pack(">BBH", 36, 0, size) + header + piece)

  return handle


def packets(pieces):
  """Seven packets of the transport stream at a time, as RTP has them."""
  for piece in pieces:
    for start in range(0, len(piece), 7 * TS_PACKET):
      yield piece[start : start + 7 * TS_PACKET]
