"""The services of the contract as attributes: `client.accounts`, `client.messages`, and so on for every noun.

It owns the pairing of an attribute with its generated stub, and the types that the stubs have when they are asynchronous.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from postroom.channel import Calls
from postroom.v1.account_service_pb2_grpc import AccountServiceStub
from postroom.v1.audit_service_pb2_grpc import AuditServiceStub
from postroom.v1.change_service_pb2_grpc import ChangeServiceStub
from postroom.v1.consumer_service_pb2_grpc import ConsumerServiceStub
from postroom.v1.export_service_pb2_grpc import ExportServiceStub
from postroom.v1.mailbox_service_pb2_grpc import MailboxServiceStub
from postroom.v1.message_service_pb2_grpc import MessageServiceStub
from postroom.v1.oauth_app_service_pb2_grpc import OAuthAppServiceStub
from postroom.v1.relay_service_pb2_grpc import RelayServiceStub
from postroom.v1.route_service_pb2_grpc import RouteServiceStub
from postroom.v1.sandbox_service_pb2_grpc import SandboxServiceStub
from postroom.v1.server_service_pb2_grpc import ServerServiceStub
from postroom.v1.submission_service_pb2_grpc import SubmissionServiceStub
from postroom.v1.suppression_service_pb2_grpc import SuppressionServiceStub
from postroom.v1.template_service_pb2_grpc import TemplateServiceStub
from postroom.v1.thread_service_pb2_grpc import ThreadServiceStub
from postroom.v1.token_service_pb2_grpc import TokenServiceStub

if TYPE_CHECKING:
    from postroom.v1.account_service_pb2_grpc import AccountServiceAsyncStub
    from postroom.v1.audit_service_pb2_grpc import AuditServiceAsyncStub
    from postroom.v1.change_service_pb2_grpc import ChangeServiceAsyncStub
    from postroom.v1.consumer_service_pb2_grpc import ConsumerServiceAsyncStub
    from postroom.v1.export_service_pb2_grpc import ExportServiceAsyncStub
    from postroom.v1.mailbox_service_pb2_grpc import MailboxServiceAsyncStub
    from postroom.v1.message_service_pb2_grpc import MessageServiceAsyncStub
    from postroom.v1.oauth_app_service_pb2_grpc import OAuthAppServiceAsyncStub
    from postroom.v1.relay_service_pb2_grpc import RelayServiceAsyncStub
    from postroom.v1.route_service_pb2_grpc import RouteServiceAsyncStub
    from postroom.v1.sandbox_service_pb2_grpc import SandboxServiceAsyncStub
    from postroom.v1.server_service_pb2_grpc import ServerServiceAsyncStub
    from postroom.v1.submission_service_pb2_grpc import SubmissionServiceAsyncStub
    from postroom.v1.suppression_service_pb2_grpc import SuppressionServiceAsyncStub
    from postroom.v1.template_service_pb2_grpc import TemplateServiceAsyncStub
    from postroom.v1.thread_service_pb2_grpc import ThreadServiceAsyncStub
    from postroom.v1.token_service_pb2_grpc import TokenServiceAsyncStub


class Services:
    """Every service of the contract, its methods taking and giving the generated messages of `postroom.v1`.

    Each call has a deadline (`clients/calls.yaml`, or `timeout=` in seconds) and raises `PostroomError` by reason.
    """

    accounts: AccountServiceAsyncStub
    audits: AuditServiceAsyncStub
    changes: ChangeServiceAsyncStub
    consumers: ConsumerServiceAsyncStub
    exports: ExportServiceAsyncStub
    mailboxes: MailboxServiceAsyncStub
    messages: MessageServiceAsyncStub
    oauth_apps: OAuthAppServiceAsyncStub
    relays: RelayServiceAsyncStub
    routes: RouteServiceAsyncStub
    sandbox: SandboxServiceAsyncStub
    server: ServerServiceAsyncStub
    submissions: SubmissionServiceAsyncStub
    suppressions: SuppressionServiceAsyncStub
    templates: TemplateServiceAsyncStub
    threads: ThreadServiceAsyncStub
    tokens: TokenServiceAsyncStub

    def __init__(self, calls: Calls) -> None:
        way: Any = calls
        self.accounts = cast("AccountServiceAsyncStub", AccountServiceStub(way))
        self.audits = cast("AuditServiceAsyncStub", AuditServiceStub(way))
        self.changes = cast("ChangeServiceAsyncStub", ChangeServiceStub(way))
        self.consumers = cast("ConsumerServiceAsyncStub", ConsumerServiceStub(way))
        self.exports = cast("ExportServiceAsyncStub", ExportServiceStub(way))
        self.mailboxes = cast("MailboxServiceAsyncStub", MailboxServiceStub(way))
        self.messages = cast("MessageServiceAsyncStub", MessageServiceStub(way))
        self.oauth_apps = cast("OAuthAppServiceAsyncStub", OAuthAppServiceStub(way))
        self.relays = cast("RelayServiceAsyncStub", RelayServiceStub(way))
        self.routes = cast("RouteServiceAsyncStub", RouteServiceStub(way))
        self.sandbox = cast("SandboxServiceAsyncStub", SandboxServiceStub(way))
        self.server = cast("ServerServiceAsyncStub", ServerServiceStub(way))
        self.submissions = cast("SubmissionServiceAsyncStub", SubmissionServiceStub(way))
        self.suppressions = cast("SuppressionServiceAsyncStub", SuppressionServiceStub(way))
        self.templates = cast("TemplateServiceAsyncStub", TemplateServiceStub(way))
        self.threads = cast("ThreadServiceAsyncStub", ThreadServiceStub(way))
        self.tokens = cast("TokenServiceAsyncStub", TokenServiceStub(way))
