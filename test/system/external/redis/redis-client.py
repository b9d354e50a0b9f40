"""Drives a Redis port with redis-py, in RESP3 from its version 5 on: python redis-client.py URL"""

import sys

import redis

url = sys.argv[1]
major = int(redis.__version__.split(".")[0])
options = {"protocol": 3} if major >= 5 else {}
client = redis.Redis.from_url(url, **options)

assert client.ping()
assert client.set("py:1", b"\x00\xff value", ex=100)
assert client.get("py:1") == b"\x00\xff value"
assert 0 < client.ttl("py:1") <= 100
assert client.set("py:1", "other", nx=True) is None
assert client.set("py:1", "third", get=True, keepttl=True) == b"\x00\xff value"
assert client.ttl("py:1") > 0
assert client.persist("py:1") == 1
assert client.ttl("py:1") == -1
assert client.getex("py:1", ex=50) == b"third"
assert client.mset({"py:2": "b", "py:3": "c"})
assert client.mget("py:2", "none", "py:3") == [b"b", None, b"c"]
assert sorted(client.scan_iter("py:*", count=1)) == [b"py:1", b"py:2", b"py:3"]
assert client.exists("py:1", "none") == 1
assert client.type("py:1") == b"string"
assert client.expireat("py:2", 4_000_000_000)
assert client.execute_command("EXPIRETIME", "py:2") == 4_000_000_000
with client.pipeline(transaction=False) as pipe:
    assert pipe.set("py:4", "d").get("py:4").delete("py:4").execute() == [True, b"d", 1]
assert client.info()["redis_mode"] == "standalone"
assert client.delete("py:1", "py:2", "py:3") == 3
assert client.dbsize() >= 0
value, version, source, bound = client.execute_command("MERIDIAN.GET", "py:1")
assert value is None and source in (b"origin", b"copy", b"cache", "origin", "copy", "cache")
try:
    client.lpush("py:list", "a")
    raise AssertionError("LPUSH was answered")
except redis.ResponseError as error:
    assert "unknown command" in str(error), error
try:
    redis.Redis.from_url(url.replace("://flags:", "://nobody:"), **options).ping()
    raise AssertionError("nobody is no namespace")
except redis.RedisError as error:
    assert "nobody" in str(error), error
client.close()
