"""The interceptors of a node in their order, outermost first.

It owns the order, which is a rule of the contract: token, scope, account, then body; and it keeps every refusal inside of
what names, counts and says it.

    observe   request id, log line, figures; writes streams
    errors    exceptions become statuses
    deadline  30 s where none is given
    token     who calls, and the method's scope
    edge      parses the request; query and path of REST
    account   the token's accounts
    body      the JSON body of REST, strictly
    owner     here, or on the node that owns the account
"""

from __future__ import annotations

from collections.abc import Sequence

import grpc

from postroom_server.domain.ownership import Directory
from postroom_server.services.authentication import Authenticator
from postroom_server.services.contract import downloads, methods, services
from postroom_server.services.forward import Relay
from postroom_server.services.interceptors.auth import AccountInterceptor, TokenInterceptor
from postroom_server.services.interceptors.deadline import DeadlineInterceptor
from postroom_server.services.interceptors.edge import BodyInterceptor, EdgeInterceptor
from postroom_server.services.interceptors.errors import ErrorsInterceptor
from postroom_server.services.interceptors.observe import ObserveInterceptor
from postroom_server.services.interceptors.owner import OwnerInterceptor
from postroom_server.services.registry import Registry
from postroom_server.telemetry.metrics import Metrics


def interceptors(
    registry: Registry,
    *,
    metrics: Metrics,
    authenticator: Authenticator,
    directory: Directory,
    relay: Relay,
) -> Sequence[grpc.aio.ServerInterceptor]:
    """The chain for `grpc.aio.server(interceptors=…)`."""
    known = frozenset(methods())
    return (
        ObserveInterceptor(metrics, known),
        ErrorsInterceptor(downloads()),
        DeadlineInterceptor(),
        TokenInterceptor(authenticator),
        EdgeInterceptor(services()),
        AccountInterceptor(),
        BodyInterceptor(services()),
        OwnerInterceptor(directory, relay, metrics, registry.served),
    )
