"""Prints test/golden/tensorboard-events.json: an event file as the tensorboard package (2.21) writes it, in hex.

    pip install tensorboard && python test/golden/tensorboard-events.py > test/golden/tensorboard-events.json

The messages are built from tensorboard's own protos and framed by its RecordWriter; only the clock is fixed.
"""
import io
import json
import struct
import zlib

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import crc32c
from tensorboard.summary.writer.record_writer import RecordWriter

TIME = 1700000000.25


def png(width, height):
    """A grey 8-bit PNG ramp."""
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
    rows = b"".join(b"\0" + bytes((x * 9 + y * 31) % 256 for x in range(width)) for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


picture = png(5, 3)
text = TensorProto(dtype=DT_STRING, tensor_shape=TensorShapeProto(), string_val=["**mask** \u00bd".encode()])
events = [
    Event(wall_time=TIME, file_version="brain.Event:2"),
    Event(wall_time=TIME, step=1, summary=Summary(value=[Summary.Value(tag="train/loss", simple_value=0.75)])),
    Event(wall_time=TIME, step=300, summary=Summary(value=[Summary.Value(tag="train/loss", simple_value=0.0)])),
    Event(wall_time=TIME, step=2 ** 33, summary=Summary(value=[Summary.Value(
        tag="preview", image=Summary.Image(height=3, width=5, colorspace=3, encoded_image_string=picture))])),
    Event(wall_time=TIME, step=2, summary=Summary(value=[Summary.Value(
        tag="config", tensor=text,
        metadata=SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="text")))])),
]
resumed = [Event(wall_time=TIME, step=2, session_log=SessionLog(status=SessionLog.START)),
           Event(wall_time=TIME, step=3, summary=Summary(value=[Summary.Value(tag="x", simple_value=-1e-20)]))]


def written(messages):
    stream = io.BytesIO()
    stream.close = lambda: None
    writer = RecordWriter(stream)
    for message in messages:
        writer.write(message.SerializeToString(deterministic=True))
    return stream.getvalue().hex()


print(json.dumps({
    "crc32c": {"123456789": crc32c(b"123456789"), "": crc32c(b"")},
    "png": picture.hex(), "first": written(events), "resumed": written(resumed),
}, indent=1))
