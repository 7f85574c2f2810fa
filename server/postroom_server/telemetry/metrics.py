"""The node's metrics: one registry, every series named here.

It owns names, labels and buckets, and refuses labels that a caller chooses (accounts, hosts, ids): the number of series
is bounded by the contract and by this file.

See Also:
    https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

CALL_BUCKETS: Final = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
)
"""Seconds."""
DELAY_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0)
"""Seconds."""
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Every series of a node. Make one per process and hand it in."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        self.calls = Counter(
            "postroom_calls",
            "Calls that ended, by method and gRPC code.",
            ["method", "code"],
            registry=registry,
        )
        self.call_seconds = Histogram(
            "postroom_call_seconds",
            "Duration of unary calls.",
            ["method"],
            buckets=CALL_BUCKETS,
            registry=registry,
        )
        self.streams = Gauge("postroom_streams", "Streams that are open.", ["method"], registry=registry)
        self.stream_messages = Counter(
            "postroom_stream_messages", "Messages sent on streams.", ["method"], registry=registry
        )
        self.refusals = Counter(
            "postroom_refusals", "Calls refused, by reason.", ["reason"], registry=registry
        )
        self.relayed = Counter(
            "postroom_relayed_calls",
            "Calls passed on to the account's owner, by gRPC code.",
            ["code"],
            registry=registry,
        )
        self._workers(registry)
        self._feed(registry)

    def _workers(self, registry: CollectorRegistry) -> None:
        self.shards = Gauge("postroom_shards", "Shards that this node owns.", registry=registry)
        self.accounts = Gauge(
            "postroom_accounts", "Accounts that this node runs, by state.", ["state"], registry=registry
        )
        self.commits = Counter(
            "postroom_commits",
            "Commits to the store, by what became of them.",
            ["outcome"],
            registry=registry,
        )
        self.fenced = Counter(
            "postroom_fenced_writes", "Writes refused because another node owns the shard.", registry=registry
        )
        self.submissions = Counter(
            "postroom_submissions", "Submissions that entered a state.", ["state"], registry=registry
        )

    def _feed(self, registry: CollectorRegistry) -> None:
        self.watchers = Gauge("postroom_watchers", "Readers that are watching the feed.", registry=registry)
        self.resets = Counter(
            "postroom_resets", "Resets told to readers, by reason.", ["reason"], registry=registry
        )
        self.delivery_seconds = Histogram(
            "postroom_delivery_seconds",
            "From the detection of a change to its hand-over to a reader.",
            buckets=DELAY_BUCKETS,
            registry=registry,
        )
        self.loop_lag = Gauge("postroom_loop_lag_seconds", "How late the event loop is.", registry=registry)

    def shown(self) -> bytes:
        """All series in the text format of Prometheus."""
        return generate_latest(self.registry)
