# Distributed configuration with an A/B test.
# From this folder: npx workerd serve config.capnp
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    # The HTTP port of a Meridian edge (or origin); the header says which namespace the binding means.
    (name = "kv", external = (address = "127.0.0.1:8200", http = (injectRequestHeaders = [
      (name = "Meridian-Namespace", value = "configuration")
    ]))),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8080", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.js")],
  compatibilityDate = "2025-09-01",
  bindings = [
    (name = "CONFIG", kvNamespace = "kv"),
  ],
);
