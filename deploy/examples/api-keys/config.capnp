# API keys checked before a request reaches the API.
# From this folder: npx workerd serve config.capnp
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    # The HTTP port of a Meridian edge (or origin); the header says which namespace the binding means.
    (name = "kv", external = (address = "127.0.0.1:8200", http = (injectRequestHeaders = [
      (name = "Meridian-Namespace", value = "api-keys")
    ]))),
    # What stands behind the Worker.
    (name = "api", external = (address = "127.0.0.1:9000", http = ())),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8080", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.js")],
  compatibilityDate = "2025-09-01",
  bindings = [
    (name = "API_KEYS", kvNamespace = "kv"),
    (name = "API", service = "api"),
  ],
);
