# The twins on workerd. Its command line sets addresses and folders.
using Workerd = import "/workerd/workerd.capnp";

const bench :Workerd.Config = (
  services = [(name = "main", worker = .benchWorker), .storage],
  sockets = [.socket],
);

const batcher :Workerd.Config = (
  services = [(name = "main", worker = .batcherWorker), .storage],
  sockets = [.socket],
);

const socket :Workerd.Socket = (name = "http", http = (), service = "main");

const storage :Workerd.Service = (name = "storage", disk = (writable = true));

const benchWorker :Workerd.Worker = (
  modules = [(name = "bench.js", esModule = embed "bench.js")],
  compatibilityDate = "2026-10-01",
  durableObjectNamespaces = [(className = "Bench", uniqueKey = "bench-Bench", enableSql = true)],
  durableObjectStorage = (localDisk = "storage"),
  bindings = [(name = "BENCH", durableObjectNamespace = "Bench")],
);

const batcherWorker :Workerd.Worker = (
  modules = [(name = "batcher.js", esModule = embed "batcher.js")],
  compatibilityDate = "2026-10-01",
  durableObjectNamespaces = [(className = "Batcher", uniqueKey = "batcher-Batcher", enableSql = true)],
  durableObjectStorage = (localDisk = "storage"),
  bindings = [(name = "BATCHER", durableObjectNamespace = "Batcher")],
);
