# python make.py FOLDER: aggregated records by aws_kinesis_agg 1.2.3
import os, sys
os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"
from aws_kinesis_agg.aggregator import RecordAggregator
def write(name, records):
    packer = RecordAggregator()
    for key, data, hash_key in records:
        packer.add_user_record(key, data, hash_key)
    _, _, data = packer.clear_and_get().get_contents()
    open(f"{sys.argv[1]}/{name}.bin", "wb").write(data)
write("python-hash-keys", [
    ("a", b'{"eventName":"GetObject"}', "0"),
    ("b", b'{"eventName":"PutObject"}', "170141183460469231731687303715884105728"),
    ("a", b"\x1f\x8b\x00\xff", "0"),
])
write("python-one", [("only", b"{}", "7")])
