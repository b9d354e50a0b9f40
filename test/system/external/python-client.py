"""Puts at one node and gets at another, with nothing but messages made from proto/ and grpcio's defaults."""

import sys

import grpc

generated, origin, edge = sys.argv[1:4]
sys.path.insert(0, generated)

from meridian.v1 import cluster_pb2, cluster_pb2_grpc, kv_pb2, kv_pb2_grpc  # noqa: E402

at_origin = grpc.insecure_channel(origin)
at_edge = grpc.insecure_channel(edge)
namespaces = cluster_pb2_grpc.NamespacesStub(at_origin)
writer, reader = kv_pb2_grpc.KVStub(at_origin), kv_pb2_grpc.KVStub(at_edge)

created = namespaces.Create(cluster_pb2.CreateNamespaceRequest(title="from-python"), timeout=20)
put = kv_pb2.PutRequest(namespace="from-python", key="schlüssel", value=b"\x00wert", metadata='{"by":"python"}')
written = writer.Put(put, timeout=20)

# The session that the write answers with is carried on: the edge then answers with at least that.
request = kv_pb2.GetRequest(namespace=created.namespace.id, key="schlüssel")
request.session.CopyFrom(written.session)
answer = reader.Get(request, timeout=20)
assert answer.found and answer.value == b"\x00wert", answer
assert answer.metadata == '{"by":"python"}', answer
assert answer.version == written.written[0].version, answer

assert not reader.Get(kv_pb2.GetRequest(namespace="from-python", key="absent"), timeout=20).found

try:
    writer.Put(kv_pb2.PutRequest(namespace="from-python", key="k" * 513), timeout=20)
    raise SystemExit("a key of 513 bytes was taken")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
    assert "512" in error.details() and "513" in error.details(), error
    assert "grpc-status-details-bin" in dict(error.trailing_metadata()), error

large = bytes(5 * 1024 * 1024)
third = 2 * 1024 * 1024


def pieces():
    size = kv_pb2.BatchSize(mutations=1, value_bytes=len(large))
    yield kv_pb2.WriteRequest(header=kv_pb2.WriteHeader(namespace="from-python", size=size))
    first = kv_pb2.Mutation(key="large", put=kv_pb2.PutBody(value=large[:third]))
    yield kv_pb2.WriteRequest(mutation=first)
    for at in range(third, len(large), third):
        yield kv_pb2.WriteRequest(more=large[at : at + third])


try:
    writer.Write((piece for _, piece in zip(range(3), pieces())), timeout=20)
    raise SystemExit("a batch was taken of which the last piece is missing")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and "not whole" in error.details(), error
writer.Write(pieces(), timeout=20)
wanted = kv_pb2.GetRequest(namespace="from-python", key="large")
wanted.options.at_origin = True
try:
    reader.Get(wanted, timeout=20)
    raise SystemExit("5 MiB came in one message")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION and "Read" in error.details(), error
assert b"".join(message.chunk for message in reader.Read(wanted, timeout=20)) == large

print("python: ok")
