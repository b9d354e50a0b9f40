"""Gets, puts and deletes in flight on one stream, with nothing but messages made from proto/ and grpcio's defaults."""

import queue
import sys
import threading

import grpc

generated, origin, edge = sys.argv[1:4]
sys.path.insert(0, generated)

from meridian.v1 import cluster_pb2, cluster_pb2_grpc, kv_pb2, kv_pb2_grpc  # noqa: E402

TITLE = "pipelined-from-python"


class Pipeline:
    """One stream. Operations are sent in messages of several, and answered in any order, by id."""

    def __init__(self, channel):
        self._requests = queue.SimpleQueue()
        self._answered = threading.Condition()
        self._answers = {}
        self._ended = None
        self._next_id = 0
        self.session = None
        self._responses = kv_pb2_grpc.KVStub(channel).Pipeline(iter(self._requests.get, None))
        threading.Thread(target=self._read, daemon=True).start()

    def send(self, *operations, timeout_ms=20_000, cancel=()):
        """Sends operations in one message and returns their ids."""
        terms = kv_pb2.PipelineTerms(namespace=TITLE, timeout_ms=timeout_ms)
        if self.session is not None:
            terms.session.CopyFrom(self.session)
        request = kv_pb2.PipelineRequest(terms=[terms], cancel=cancel)
        for operation in operations:
            self._next_id += 1
            operation.id = self._next_id
            request.operations.append(operation)
        self._requests.put(request)
        return [operation.id for operation in operations]

    def wait(self, ids, timeout=20):
        """The answers to these operations: (answer, provenance) each; provenance only of gets."""
        with self._answered:
            found = self._answered.wait_for(lambda: self._ended or all(i in self._answers for i in ids), timeout)
            if self._ended:
                raise self._ended
            assert found, f"no answer to {[i for i in ids if i not in self._answers]}"
            return [self._answers.pop(i) for i in ids]

    def close(self):
        self._requests.put(None)

    def _read(self):
        try:
            for response in self._responses:
                with self._answered:
                    for answer in response.answers:
                        is_get = answer.WhichOneof("result") == "record"
                        shared = response.provenances[answer.provenance] if is_get else None
                        self._answers[answer.id] = (answer, shared)
                    self._answered.notify_all()
        except grpc.RpcError as error:
            with self._answered:
                self._ended = error
                self._answered.notify_all()


def get(key):
    return kv_pb2.PipelineOperation(key=key, get=kv_pb2.PipelineGet())


def put(key, value, **more):
    return kv_pb2.PipelineOperation(key=key, put=kv_pb2.PutBody(value=value), **more)


namespaces = cluster_pb2_grpc.NamespacesStub(grpc.insecure_channel(origin))
created = namespaces.Create(cluster_pb2.CreateNamespaceRequest(title=TITLE), timeout=20)

# Many puts in one message; the session of the last answer sees them all, as one stream's writes are in order.
at_origin = Pipeline(grpc.insecure_channel(origin))
written = at_origin.wait(at_origin.send(*[put(f"schlüssel/{i}", f"{i}".encode()) for i in range(100)]))
assert all(answer.written.written[0].version for answer, _ in written)
latest = max((answer for answer, _ in written), key=lambda answer: answer.written.session.stamp)

# Many gets in one message, at an edge: with that session it answers with what was written, whatever it holds.
at_edge = Pipeline(grpc.insecure_channel(edge))
at_edge.session = latest.written.session
for _ in range(2):  # The second time they are hits.
    answers = at_edge.wait(at_edge.send(*[get(f"schlüssel/{i}") for i in range(100)], get("absent")))
    assert [a.record.value for a, _ in answers[:100]] == [f"{i}".encode() for i in range(100)], answers
    assert not answers[100][0].record.found, answers[100]
    assert all(p.provenance.namespace_id == created.namespace.id and p.session.stamp for _, p in answers), answers

# An operation that fails fails alone, with what a unary call would have said.
bad, clash, good = at_origin.wait(
    at_origin.send(get("k" * 513), put("schlüssel/1", b"", condition=kv_pb2.Condition(if_absent=True)), get("schlüssel/1"))
)
assert bad[0].error.code == grpc.StatusCode.INVALID_ARGUMENT.value[0] and bad[0].error.detail.limit == 512, bad
assert clash[0].error.detail.code == "FAILED_PRECONDITION" and clash[0].error.detail.version_found, clash
assert good[0].record.value == b"1", good

# A value that no message holds is read by Read, as with Get.
kv = kv_pb2_grpc.KVStub(grpc.insecure_channel(origin))
large = bytes(5 * 1024 * 1024)
mutation = kv_pb2.Mutation(key="large", put=kv_pb2.PutBody(value=large[: 2 * 1024 * 1024]))
kv.Write(
    iter(
        [
            kv_pb2.WriteRequest(header=kv_pb2.WriteHeader(namespace=TITLE)),
            kv_pb2.WriteRequest(mutation=mutation),
            kv_pb2.WriteRequest(more=large[2 * 1024 * 1024 :]),
        ]
    ),
    timeout=20,
)
((refused, _),) = at_origin.wait(at_origin.send(get("large")))
assert refused.error.detail.reason == "value-too-large-for-get", refused

# What breaks the rules of the stream ends it.
broken = Pipeline(grpc.insecure_channel(origin))
operation = get("k")
operation.terms = 7
try:
    broken.wait(broken.send(operation))
    raise SystemExit("an operation without terms was taken")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error

at_origin.close()
at_edge.close()
print("python: ok")
