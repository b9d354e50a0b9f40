"""Puts with an expiry and reads it back, knowing nothing of proto/ but what the node tells by reflection."""

import sys
import time

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor_database import DescriptorDatabase

generated, address = sys.argv[1:3]
sys.path.insert(0, generated)
channel = grpc.insecure_channel(address)


def asked(request, reply_class):
    ask = channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=reply_class.FromString,
    )
    return next(ask(iter([request]), timeout=20))


try:
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

    database = ProtoReflectionDescriptorDatabase(channel)
    services = database.get_services()
    print("by grpcio-reflection")
except ImportError:
    # What grpcio-reflection does, where Debian has no package of it.
    from described.reflection.v1alpha import reflection_pb2

    class Database(DescriptorDatabase):
        def __init__(self):
            super().__init__()
            self.known = set()

        def learn(self, **what):
            reply = asked(reflection_pb2.ServerReflectionRequest(**what), reflection_pb2.ServerReflectionResponse)
            if reply.HasField("error_response"):
                raise KeyError(reply.error_response.error_message)
            for serialized in reply.file_descriptor_response.file_descriptor_proto:
                file = descriptor_pb2.FileDescriptorProto.FromString(serialized)
                if file.name not in self.known:
                    self.known.add(file.name)
                    self.Add(file)

        def FindFileByName(self, name):
            if name not in self.known:
                self.learn(file_by_filename=name)
            return super().FindFileByName(name)

        def FindFileContainingSymbol(self, symbol):
            try:
                return super().FindFileContainingSymbol(symbol)
            except KeyError:
                self.learn(file_containing_symbol=symbol)
                return super().FindFileContainingSymbol(symbol)

    database = Database()
    listed = asked(
        reflection_pb2.ServerReflectionRequest(list_services=""), reflection_pb2.ServerReflectionResponse
    )
    services = [service.name for service in listed.list_services_response.service]

for expected in ["meridian.v1.KV", "meridian.v1.Feed", "grpc.health.v1.Health"]:
    assert expected in services, services

pool = descriptor_pool.DescriptorPool(database)
for name in ["record", "kv", "feed", "cluster"]:
    assert pool.FindFileByName(f"meridian/v1/{name}.proto").package == "meridian.v1"
# Every message of every service can be built: the pool refuses a file that lies.
for service in services:
    for method in pool.FindServiceByName(service).methods:
        assert method.input_type.full_name and method.output_type.full_name


def message_class(name):
    found = pool.FindMessageTypeByName(name)
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(found)
    return message_factory.MessageFactory(pool).GetPrototype(found)


def call(service, method, **fields):
    found = pool.FindServiceByName(service).FindMethodByName(method)
    request, reply = message_class(found.input_type.full_name), message_class(found.output_type.full_name)
    ask = channel.unary_unary(
        f"/{service}/{method}", request_serializer=request.SerializeToString, response_deserializer=reply.FromString
    )
    return ask(request(**fields), timeout=20)


call("meridian.v1.Namespaces", "Create", title="reflected")
before = int(time.time())
call("meridian.v1.KV", "Put", namespace="reflected", key="k", value=b"v", expiry={"in_seconds": 100})
found = call("meridian.v1.KV", "Get", namespace="reflected", key="k")
assert found.found and found.value == b"v", found
assert before + 100 <= found.expires_at <= time.time() + 101, found

assert call("meridian.v1.KV", "Get", namespace="reflected", key="k", session=found.session).version == found.version
